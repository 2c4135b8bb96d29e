"""bad_submissions.py LAB.pem CENTRE.pem ORIGIN FOLDER: submissions, each with one thing wrong.

They are signed by the lab's key (accredited for test verdicts, releases, audit events and
corrections) or the centre's, both Ed25519, so that only the rules stand in their way. FOLDER/NAME is
what to post.
"""

import base64
import copy
import hashlib
import json
import pathlib
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

import records

DIGEST = "ab" * 32
VERDICT = {
    "_type": records.STATEMENT_TYPES[0],
    "subject": [{"name": "fw", "digest": {"sha256": DIGEST}}],
    "predicateType": records.TEST_RESULT,
    "predicate": {
        "result": "PASSED", "configuration": [{"uri": "urn:example:plan"}],
        "assessment": {
            "laboratory": {"name": "Lab"}, "reportId": "1", "scheme": "EN 18031", "decisionRule": "simple",
            "dates": {"started": "2026-01-02T00:00:00Z", "completed": "2026-01-03T00:00:00+01:00",
                      "issued": "2026-01-04T00:00:00Z"},
            "deviations": [], "report": {"digest": {"sha256": DIGEST}}}}}
RELEASE = {**VERDICT, "predicateType": records.RELEASE_V02, "predicate": {
    "purl": "pkg:generic/acme/router@1.2.3",
    "firmware": {"vendor": "Acme", "model": "R1", "version": "1.2.3", "hardwareRevisions": ["A"]}}}
WHO = {"id": "x", "typeURI": "service/security"}
EVENT = {**VERDICT, "predicateType": records.AUDIT_EVENT, "predicate": {
    "id": "1", "eventType": "activity", "action": "update", "outcome": "success",
    "eventTime": "2026-01-02T00:00:00Z", "initiator": WHO, "target": WHO, "observer": WHO}}
CORRECTION = {**VERDICT, "predicateType": records.CORRECTION, "predicate": {
    "action": "withdraw", "reason": "wrong device", "target": {"index": 1, "leafHash": DIGEST}}}
GONE = object()


def changed(statement, path, value):
    statement = copy.deepcopy(statement)
    at = statement
    *parents, last = path
    for step in parents:
        at = at[step]
    if value is GONE:
        del at[last]
    else:
        at[last] = value
    return statement


def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def statements():
    """(base statement, path, value)"""
    v, r, e, c = VERDICT, RELEASE, EVENT, CORRECTION
    a = ("predicate", "assessment")
    yield from ((v, *change) for change in (
        (("_type",), "https://in-toto.io/Statement/v0.2"), (("_type",), GONE), (("_type",), 1),
        (("subject",), []), (("subject",), GONE), (("subject",), v["subject"] * 65),
        (("subject", 0), "fw"), (("subject", 0, "digest"), GONE), (("subject", 0, "name"), 1),
        (("subject", 0, "digest"), {}), (("subject", 0, "digest"), {"md5": "00"}),
        (("subject", 0, "digest", "sha256"), DIGEST[1:]), (("subject", 0, "digest", "sha256"), DIGEST.upper()),
        (("subject", 0, "digest", "sha1"), 7), (("predicateType",), "not a uri"),
        (("predicateType",), "urn:example:other"), (("predicateType",), GONE), (("predicate",), []),
        (("predicate",), GONE), (("predicate", "result"), "passed"), (("predicate", "result"), None),
        (("predicate", "configuration"), GONE), (("predicate", "configuration"), [{"name": "x"}]),
        (("predicate", "passedTests"), ["a", 1]), (("predicate", "url"), ""),
        (a, "x"), ((*a, "laboratory"), GONE), ((*a, "laboratory", "name"), ""), ((*a, "reportId"), GONE),
        ((*a, "dates", "issued"), "2026-01-04"), ((*a, "dates", "completed"), "2026-01-01T00:00:00Z"),
        ((*a, "dates", "started"), "2026-02-30T00:00:00Z"), ((*a, "dates", "received"), "yesterday"),
        ((*a, "dates", "issued"), "2026-01-04T23:59:60Z"), ((*a, "deviations"), GONE),
        ((*a, "report"), {"uri": "urn:x"}), ((*a, "report", "digest"), {"sha1": "aa"}),
        (("predicate", "extra"), 2**53), (("predicate", "extra"), deep(40)),
        (("predicate", "extra"), "\ufffe"),
    ))
    yield from ((r, *change) for change in (
        (("predicate", "purl"), "pkg:generic/acme/router"), (("predicate", "purl"), "generic/router@1"),
        (("predicate", "purl"), "pkg:npm/@angular/core"), (("predicate", "purl"), GONE),
        (("predicate", "packageId"), 5), (("predicate", "firmware", "model"), GONE),
        (("predicate", "firmware", "hardwareRevisions"), "A"),
        (("predicate", "firmware", "suit"), {"uri": "urn:x"}),
    ))
    yield from ((e, *change) for change in (
        (("predicate", "id"), GONE), (("predicate", "eventType"), "other"),
        (("predicate", "eventType"), "control"), (("predicate", "outcome"), "good"),
        (("predicate", "eventTime"), "2026-01-02 00:00:00Z"), (("predicate", "observer"), GONE),
        (("predicate", "target"), {"id": "x"}), (("predicate", "attachments"), [{}]),
        (("predicate", "attachments"), [{"digest": {"md5": "0"}}]),
    ))
    yield from ((c, *change) for change in (
        (("predicate", "action"), "delete"), (("predicate", "reason"), GONE),
        (("predicate", "target"), GONE), (("subject", 0, "digest", "sha256"), "cd" * 32),
        (("predicate", "target", "index"), 99999), (("predicate", "target", "index"), 1),
        (("predicate", "action"), "replace"),
        (("predicate", "replacement"), {"index": 2, "leafHash": DIGEST}),
    ))


def accreditations(origin, lab, centre):
    """Of a new key, by the centre, each with one thing wrong."""
    fresh = ed25519.Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    spki = spki_of(fresh)
    base = {
        "_type": records.STATEMENT_TYPES[0],
        "subject": [{"digest": {"sha256": hashlib.sha256(spki).hexdigest()}}],
        "predicateType": records.ACCREDITATION,
        "predicate": {"log": origin, "party": "lab-9", "role": "lab", "scheme": "ed25519",
                      "spki": base64.b64encode(spki).decode(), "predicateTypes": [records.TEST_RESULT],
                      "status": "granted", "previous": None}}
    both, alone = (centre, fresh), (centre,)
    weak = bytes.fromhex("302a300506032b6570032100") + bytes(32)
    p = "predicate"
    for signers, path, value in (
            (both, (p, "log"), "example.com/other"), (both, (p, "party"), "Lab 9"),
            (both, (p, "role"), ""), (both, (p, "role"), "centre"), (both, (p, "scheme"), "ecdsa-p256-sha256"),
            (both, (p, "spki"), base64.b64encode(weak).decode()), (both, (p, "spki"), "AA=="),
            (both, (p, "spki"), base64.urlsafe_b64encode(spki + b"\xff\xff\xff").decode()),
            (both, ("subject", 0, "digest", "sha256"), DIGEST), (both, (p, "keyidAliases"), [""]),
            (both, (p, "keyidAliases"), ["a"] * 9), (both, (p, "status"), "revoked"),
            (both, (p, "status"), "suspended"), (both, (p, "predicateTypes"), []),
            (both, (p, "predicateTypes"), ["verdict"]), (both, (p, "predicateTypes"), [records.ACCREDITATION]),
            (both, (p, "previous"), GONE), (both, (p, "previous"), {"index": 0, "leafHash": DIGEST}),
            (both, (p, "validUntil"), "2027"), (both, (p, "admissionRules"), records.RULES),
            (both, (p, "recovery"), {}), (alone, (p, "validUntil"), "2027-01-01T00:00:00Z"),
            ((lab, fresh), (p, "validUntil"), "2027-01-01T00:00:00Z"),
            ((fresh,), (p, "validUntil"), "2027-01-01T00:00:00Z")):
        yield signers, changed(base, path, value)


def spki_of(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(payload, signers):
    return {"payloadType": records.PAYLOAD_TYPE, "payload": base64.b64encode(payload).decode(),
            "signatures": [{"sig": base64.b64encode(key.sign(records.pae(payload))).decode()}
                           for key in signers]}


def envelopes(lab):
    """What is wrong before any statement is read."""
    payload = json.dumps(VERDICT).encode()
    good = sign(payload, (lab,))
    text = json.dumps(good)
    yield from (b"{", b"[]", b"\xff", b"null", text.encode() + b"x", b"[" * 40 + b"]" * 40)
    yield text.replace('"payloadType"', '"payload": "", "payloadType"').encode()
    for path, value in (
            (("payloadType",), "application/json"), (("payloadType",), GONE), (("payload",), "a"),
            (("payload",), good["payload"] + "\n"), (("payload",), 1), (("signatures",), []),
            (("signatures",), good["signatures"] * 17), (("signatures", 0), "x"),
            (("signatures", 0, "sig"), GONE), (("signatures", 0, "sig"), "QR=="),
            (("signatures", 0, "keyid"), 1), (("signatures", 0, "sig"), base64.b64encode(bytes(64)).decode())):
        yield json.dumps(changed(good, path, value)).encode()
    yield json.dumps(sign(b"not json", (lab,))).encode()
    yield json.dumps(sign(payload.replace(b'"_type"', b'"_type": "", "_type"'), (lab,))).encode()
    yield json.dumps(sign(b'{"a":"\\ud800"}', (lab,))).encode()
    yield json.dumps(sign(payload + b" " * 60000, (lab,))).encode()
    yield json.dumps(sign(payload, (ed25519.Ed25519PrivateKey.from_private_bytes(b"\7" * 32),))).encode()


def main():
    lab, centre = (serialization.load_pem_private_key(pathlib.Path(file).read_bytes(), None)
                   for file in sys.argv[1:3])
    folder = pathlib.Path(sys.argv[4])
    folder.mkdir(parents=True)
    bodies = list(envelopes(lab))
    bodies += [json.dumps(sign(json.dumps(changed(*change)).encode(), (lab,))).encode()
               for change in statements()]
    bodies += [json.dumps(sign(json.dumps(statement).encode(), signers)).encode()
               for signers, statement in accreditations(sys.argv[3], lab, centre)]
    for i, body in enumerate(bodies):
        (folder / ("%03d" % i)).write_bytes(body)


if __name__ == "__main__":
    main()
