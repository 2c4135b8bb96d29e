"""envelope.py KEY.pem STATEMENT.json: a DSSE envelope made by securesystemslib, to standard output.

The key is a PKCS#8 PEM, P-256 or Ed25519.
"""

import json
import pathlib
import sys

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner

key, statement = (pathlib.Path(file).read_bytes() for file in sys.argv[1:3])
envelope = Envelope(statement, "application/vnd.in-toto+json", {})
envelope.sign(CryptoSigner(load_pem_private_key(key, password=None)))
print(json.dumps(envelope.to_dict()))
