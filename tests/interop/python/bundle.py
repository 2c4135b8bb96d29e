"""bundle.py KEY.pem STATEMENT.json: a Sigstore bundle of an older form, made with sigstore-python's models, to standard output.

The key is a PKCS#8 PEM, P-256. As cosign does it, the envelope has no keyid, and the bundle's hint is the base64 of the hash of
the key.
"""

import base64
import hashlib
import json
import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from sigstore_models.bundle.v1 import Bundle, VerificationMaterial
from sigstore_models.common.v1 import PublicKeyIdentifier
from sigstore_models.intoto import Envelope, Signature

key_file, statement_file = map(pathlib.Path, sys.argv[1:3])
key = load_pem_private_key(key_file.read_bytes(), password=None)
statement = statement_file.read_bytes()
payload_type = "application/vnd.in-toto+json"
pae = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(statement), statement)
spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
bundle = Bundle(
    media_type="application/vnd.dev.sigstore.bundle+json;version=0.2",
    verification_material=VerificationMaterial(
        public_key=PublicKeyIdentifier(hint=base64.b64encode(hashlib.sha256(spki).digest()).decode()), tlog_entries=[]
    ),
    dsse_envelope=Envelope(
        payload=base64.b64encode(statement),
        payload_type=payload_type,
        signatures=[Signature(sig=base64.b64encode(key.sign(pae, ECDSA(SHA256()))))],
    ),
)
print(bundle.to_json())
