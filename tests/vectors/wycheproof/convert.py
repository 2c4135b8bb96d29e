#!/usr/bin/env python3
"""convert.py WYCHEPROOF-REPOSITORY: the vectors of this folder from Wycheproof's JSON files."""
import json, subprocess, sys

FILES = {
    "ed25519": "ed25519_test",
    "ecdsa-p256-sha256": "ecdsa_secp256r1_sha256_test",
    "ecdsa-p256-sha256.fixed": "ecdsa_secp256r1_sha256_p1363_test",
    "ecdsa-p384-sha384": "ecdsa_secp384r1_sha384_test",
    "ecdsa-p384-sha384.fixed": "ecdsa_secp384r1_sha384_p1363_test",
    "rsa-pss-sha256": "rsa_pss_3072_sha256_mgf1_32_test",
    "rsa-pkcs1-sha256": "rsa_signature_3072_sha256_test",
}
for name, source in FILES.items():
    text = subprocess.check_output(
        ["git", "-C", sys.argv[1], "show", f"HEAD:testvectors_v1/{source}.json"])
    with open(name + ".txt", "w") as out:
        for group in json.loads(text)["testGroups"]:
            key = group.get("publicKeyDer") or group["publicKey"]["der"]
            out.write(f"key {key}\n")
            for test in group["tests"]:
                out.write(f'{test["result"]} {test["tcId"]} {test["msg"] or "-"} {test["sig"] or "-"}\n')
