"""forced.py MODE ...: a log that tells of every admission rule.

A story that appends every kind of record that is admissible and, among them, for each rule entries
that break that rule and no other.

    rules --openapi FILE        fails if the contract knows a rule that the story does not break
    records --log URL           tells it to a log in records mode: what is admissible must be taken, at
                                the index and with the leaf hash foreseen here, and everything else
                                refused for the reason foreseen
    raw --log URL --out FILE    forces all of it into a raw log, which takes any bytes and serves them in
                                the same files: whoever replays that as a records log must find what
                                FILE says, "INDEX RULE" a line
    zeros                       lists entries 0 that must not begin a log
    zero NAME --log URL --out FILE
                                the same as raw with only that one

All but the first and `zeros` take --origin NAME, the log's, and --centre PEM, the private key (Ed25519)
of the centre that entry 0 must be signed by.
"""

import argparse
import base64
import copy
import functools
import hashlib
import json
import pathlib
import re
import sys
import urllib.error
import urllib.request

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding, PublicFormat, load_pem_private_key)

import records
from records import (ACCREDITATION, AUDIT_EVENT, CORRECTION, PAYLOAD_TYPE, RELEASE_V01, RELEASE_V02,
                     SEALED, TEST_RESULT)

GONE = object()
OTHER = "https://example.com/predicate/other/v1"

# What an entry cannot break: rules about request bodies and the work on them, and about what the log
# hands out. tests/unit trips those.
NOT_IN_ENTRIES = {
    "body-too-large", "body-not-json", "body-depth", "envelope-shape", "envelope-payload-type",
    "envelope-base64", "envelope-signature-count", "entry-too-large", "key-unknown",
    "signature-trials", "extra-shape", "extra-support", "accreditation-type",
}


# --- parties ----------------------------------------------------------------------------------------


class Party:
    def __init__(self, name, role, kind, private=None):
        self.name, self.role = name, role
        self.private, self.scheme = {
            "ed25519": lambda: (ed25519.Ed25519PrivateKey.generate(), "ed25519"),
            "p256": lambda: (ec.generate_private_key(ec.SECP256R1()), "ecdsa-p256-sha256"),
            "p384": lambda: (ec.generate_private_key(ec.SECP384R1()), "ecdsa-p384-sha384"),
            "pss": lambda: (rsa.generate_private_key(65537, 3072), "rsa-pss-sha512"),
            "pkcs1": lambda: (rsa.generate_private_key(65537, 3072), "rsa-pkcs1-sha256"),
        }[kind]()
        self.private = private or self.private
        self.spki = self.private.public_key().public_bytes(Encoding.DER,
                                                           PublicFormat.SubjectPublicKeyInfo)
        self.keyid = hashlib.sha256(self.spki).hexdigest()
        self.newest = None  # {"index", "leafHash"} of its newest registry entry

    def sign(self, message, scheme=None):
        scheme = scheme or self.scheme
        if scheme == "ed25519":
            return self.private.sign(message)
        digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[scheme[-3:]]
        if scheme.startswith("ecdsa"):
            return self.private.sign(message, ec.ECDSA(digest))
        pad = padding.PKCS1v15() if "pkcs1" in scheme else \
            padding.PSS(padding.MGF1(digest), digest.digest_size)
        return self.private.sign(message, pad, digest)


def entry_of(payload, *signers):
    """The canonical entry of a payload (bytes, or a statement) that these parties sign."""
    if not isinstance(payload, bytes):
        payload = json.dumps(payload).encode()
    return entry_with(payload, [(p.keyid, p.sign(records.pae(payload))) for p in signers])


def entry_with(payload, signatures):
    return records.canonical_entry(payload, sorted(signatures))


def leaf_of(entry):
    return hashlib.sha256(b"\0" + entry).hexdigest()


# --- statements ---------------------------------------------------------------------------------------


def statement(kind, predicate, *digests, version=0):
    subjects = [{"name": "fw.bin", "digest": {"sha256": digest}} for digest in digests or (serial(),)]
    return {"_type": records.STATEMENT_TYPES[version], "subject": subjects, "predicateType": kind,
            "predicate": predicate}


def serial():
    """A digest that nothing had before, so that no statement is another's repetition."""
    serial.n += 1
    return hashlib.sha256(b"firmware %d" % serial.n).hexdigest()


serial.n = 0


def changed(value, path, to):
    value = copy.deepcopy(value)
    at = value
    *parents, last = path
    for step in parents:
        at = at[step]
    if to is GONE:
        del at[last]
    else:
        at[last] = to
    return value


def verdict(result="PASSED", **more):
    return statement(TEST_RESULT, {"result": result, "configuration": [{"uri": "urn:example:plan"}],
                                   **more})


def assessment():
    return {"laboratory": {"name": "Laboratory One", "location": "Hall 2"}, "reportId": "L1-7",
            "scheme": "EN 18031-1:2024", "decisionRule": "simple acceptance", "deviations": ["none"],
            "dates": {"received": "2026-01-01T08:00:00Z", "started": "2026-01-02T08:00:00+01:00",
                      "completed": "2026-01-03T08:00:00.25Z", "issued": "2026-01-31T23:59:60Z"},
            "report": {"name": "report.pdf", "digest": {"sha256": serial(), "md5": "0" * 32}}}


def release(kind=RELEASE_V02, **more):
    return statement(kind, {"purl": "pkg:generic/acme/router@1.2.3", **more})


def firmware():
    return {"vendor": "Acme", "model": "Router", "version": "1.2.3", "hardwareRevisions": ["A", "B"],
            "suit": {"name": "manifest.suit", "digest": {"sha256": serial()}}}


WHO = {"id": "operations", "typeURI": "service/oss", "name": "Operations"}


def event(**more):
    return statement(AUDIT_EVENT, {
        "id": "event", "eventType": "activity", "action": "update", "outcome": "success",
        "eventTime": "2026-01-02T08:00:00Z", "initiator": WHO, "target": WHO, "observer": WHO, **more})


def correction(target, **more):
    return statement(CORRECTION, {"action": "withdraw", "reason": "another sample", "target": target,
                                  **more}, target["leafHash"])


def seal(entry, **more):
    payload = base64.b64decode(json.loads(entry)["payload"])
    return statement(SEALED, more, hashlib.sha256(records.pae(payload)).hexdigest())


# --- who is told ------------------------------------------------------------------------------------


def post(url, body):
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read()


class Told:
    """Nobody is told: what is appended and refused is counted."""

    def __init__(self):
        self.size, self.broken, self.over_http = 0, [], set()

    def take(self, entry):
        """An admissible entry: {"index", "leafHash"} of it."""
        at = {"index": self.size, "leafHash": leaf_of(entry)}
        self.append(entry, at)
        self.size += 1
        return at

    def refuse(self, rule, entry, over_http=None):
        """An entry that breaks `rule`. over_http: what a log in records mode answers to it instead,
        where a submission is judged otherwise; KNOWN or TAKES_LESS: it takes it as something else."""
        self.broken.append(rule)
        self.over_http.add(over_http)
        self.reject(rule, entry, over_http or rule)

    def append(self, entry, at):
        pass

    def reject(self, rule, entry, over_http):
        pass


KNOWN, TAKES_LESS = "known", "takes less"


def hold(wanted, found):
    if wanted != found:
        raise SystemExit("forced.py: expected %s, not %s" % (wanted, found))


class RecordsLog(Told):
    def __init__(self, url):
        super().__init__()
        self.url = url

    def append(self, entry, at):
        status, answer = post(self.url + "api/v1/entries", entry)
        found = json.loads(answer)
        hold((201, at["index"], at["leafHash"]),
             (status, found.get("index"), found.get("leafHash") or found))

    def reject(self, rule, entry, over_http):
        if over_http == TAKES_LESS:
            return
        status, answer = post(self.url + "api/v1/entries", entry)
        if over_http == KNOWN:
            hold((rule, 200), (rule, status))
        else:
            hold((rule, "urn:vitrine:problem:" + over_http, True),
                 (rule, json.loads(answer).get("type", answer), 400 <= status < 500))


class RawLog(Told):
    def __init__(self, url):
        super().__init__()
        self.url, self.expected = url, []

    def append(self, entry, at):
        hold((200, b"%d" % at["index"]), post(self.url + "add", entry))

    def reject(self, rule, entry, _):
        self.expected.append("%d %s\n" % (self.size, rule))
        self.take(entry)


# --- the story ------------------------------------------------------------------------------------------


class Story:
    def __init__(self, log, origin, centre=None):
        self.log, self.origin = log, origin
        self.centre = Party("centre", "centre", "ed25519", centre)
        self.recovery = Party("centre", "recovery", "p384")
        self.lab = Party("lab-1", "lab", "p256")
        self.vendor = Party("vendor", "vendor", "ed25519")

    # Made when they are needed: an RSA key takes its time.
    @functools.cached_property
    def lab2(self):
        return Party("lab-2", "lab", "pss")

    @functools.cached_property
    def lab3(self):
        return Party("lab-3", "lab", "pkcs1")

    # -- accreditations

    def accreditation(self, party, types=(), status="granted", **more):
        return statement(ACCREDITATION, {
            "log": self.origin, "party": party.name, "role": party.role,
            "spki": base64.b64encode(party.spki).decode(), "scheme": party.scheme,
            "predicateTypes": list(types), "status": status, "previous": party.newest, **more},
            party.keyid)

    def zero(self, **more):
        return self.accreditation(self.centre, (ACCREDITATION, AUDIT_EVENT, CORRECTION), **{
            "admissionRules": records.RULES,
            "recovery": {"spki": base64.b64encode(self.recovery.spki).decode(),
                         "scheme": self.recovery.scheme}, **more})

    def grant(self, party, *types, by=None, **more):
        """The first grant of a key."""
        self.state(party, *types, signers=(by or self.centre, party), **more)

    def state(self, party, *types, status="granted", signers=None, **more):
        party.newest = self.log.take(entry_of(self.accreditation(party, types, status, **more),
                                              *(signers or (self.centre,))))

    # -- many changes of one good statement

    def each(self, rule, good, signers, *changes):
        """Each change (path, value) of the statement breaks the rule; the statement itself does not."""
        for path, to in changes:
            self.log.refuse(rule, entry_of(changed(good, path, to), *signers))
        return self.log.take(entry_of(good, *signers))

    def forge(self, entry):
        """No signature of it is a registered key's."""
        self.log.refuse("entry-signature", entry, "signature-unregistered")

    def tell(self):
        self.begin()
        self.entries()
        self.signers()
        self.statements()
        self.letter_case()
        self.predicates()
        self.registry()
        self.corrections()
        self.seals()
        self.centre_changes()

    def begin(self):
        self.centre.newest = self.recovery.newest = self.log.take(
            entry_of(self.zero(), self.centre, self.recovery))
        self.grant(self.lab, TEST_RESULT, SEALED, CORRECTION, OTHER, keyidAliases=["lab key 1"])
        self.grant(self.lab2, TEST_RESULT, CORRECTION, by=self.recovery)
        self.grant(self.lab3, TEST_RESULT, validUntil="2027-01-01T00:00:00Z")
        self.grant(self.vendor, RELEASE_V02, RELEASE_V01)

    def entries(self):
        log, lab, lab2 = self.log, self.lab, self.lab2
        payload = json.dumps(verdict()).encode()
        payload += b" " * (-len(payload) % 3 + 1)  # so that its base64 is padded
        good = entry_of(payload, lab, lab2)
        parsed = json.loads(good)
        first, second = parsed["signatures"]

        def written(value, **style):
            return json.dumps(value, **{"separators": (",", ":"), **style}).encode()

        def signed(*signatures):
            return written({**parsed, "signatures": list(signatures)})

        for form in (
                written(parsed, separators=(", ", ": ")), good + b"\n", b" " + good,
                written({"payloadType": PAYLOAD_TYPE, "payload": parsed["payload"],
                         "signatures": parsed["signatures"]}),
                written({**parsed, "timestamp": "2026-01-02T08:00:00Z"}),
                signed({**first, "cert": ""}, second), signed(second, first),
                signed({"sig": first["sig"], "keyid": first["keyid"]}, second),
                good.replace(b'"payloadType":"application/', b'"payloadType":"application\\/'),
                good.replace(b'"payload":"ey', b'"payload":"\\u0065y'),
                written({**parsed, "payload": parsed["payload"].rstrip("=")}),
                written({**parsed, "payload": parsed["payload"][:-3] + "B=="})):  # not zero bits
            log.refuse("entry-not-canonical", form, TAKES_LESS)
        for form in (signed({**first, "keyid": first["keyid"].upper()}, second),
                     signed({**first, "keyid": ""}, second), signed({"sig": first["sig"]}, second),
                     signed(first, first, second)):
            log.refuse("entry-signature", form, TAKES_LESS)
        # r || s, as some tools write ECDSA; an entry keeps DER.
        payload = json.dumps(verdict()).encode()
        der = lab.sign(records.pae(payload))
        r, s = utils.decode_dss_signature(der)
        fixed = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        log.refuse("entry-not-canonical", entry_with(payload, [(lab.keyid, fixed)]), TAKES_LESS)
        padded = b"\x30\x81" + der[1:]
        log.refuse("entry-signature", entry_with(payload, [(lab.keyid, padded),
                                                           (lab2.keyid, lab2.sign(records.pae(payload)))]),
                   TAKES_LESS)

        # Signatures: changed, by a key under another scheme, by nobody's key.
        stranger = Party("stranger", "lab", "ed25519")
        for signature in (bytes((der[0],)) + der[1:-1] + bytes((der[-1] ^ 1,)),
                          stranger.sign(records.pae(payload))):
            self.forge(entry_with(payload, [(lab.keyid, signature)]))
        self.forge(entry_of(verdict(), stranger))
        payload = json.dumps(verdict()).encode()
        for scheme in ("rsa-pkcs1-sha512", "rsa-pss-sha256"):
            self.forge(entry_with(payload, [(lab2.keyid, lab2.sign(records.pae(payload), scheme))]))
        log.refuse("entry-signature", entry_of(verdict(), lab, stranger), TAKES_LESS)
        wrong = lab2.sign(records.pae(payload) + b"x")
        log.refuse("entry-signature", entry_with(payload, [(lab2.keyid, wrong),
                                                           (lab.keyid, lab.sign(records.pae(payload)))]),
                   TAKES_LESS)

        # Once in the log is in the log.
        log.take(good)
        payload = base64.b64decode(parsed["payload"])
        log.refuse("entry-known", entry_of(payload, lab), KNOWN)
        log.refuse("entry-known", entry_of(payload, lab, lab2), KNOWN)
        log.take(entry_of(payload, lab, self.lab3))

    def signers(self):
        log = self.log
        log.refuse("signer-not-accredited", entry_of(release(), self.lab))
        log.refuse("signer-not-accredited", entry_of(verdict(), self.lab, self.vendor))
        log.refuse("signer-not-accredited", entry_of(statement(OTHER, {}), self.lab2))
        log.refuse("signer-not-accredited", entry_of(verdict(), self.centre))
        log.take(entry_of(statement(OTHER, {"anything": [1, {"is": None}]}), self.lab))

        shaky = Party("lab-4", "lab", "p384")
        self.grant(shaky, TEST_RESULT)
        log.take(entry_of(verdict(), shaky))
        early = json.dumps(verdict()).encode()
        self.state(shaky, TEST_RESULT, status="suspended")
        log.refuse("signer-suspended", entry_of(early, shaky))
        log.refuse("signer-suspended", entry_of(verdict(), shaky, self.lab))
        self.state(shaky, TEST_RESULT)
        log.take(entry_of(early, shaky))
        self.state(shaky, OTHER)
        log.refuse("signer-not-accredited", entry_of(verdict(), shaky))
        self.state(shaky, status="ended")
        log.refuse("signer-ended", entry_of(verdict(), shaky))
        log.refuse("signer-ended", entry_of(verdict(), self.lab, shaky))
        log.refuse("accreditation-ended",
                   entry_of(self.accreditation(shaky, (TEST_RESULT,)), self.centre, shaky))

    def statements(self):
        log, lab = self.log, (self.lab,)
        good = verdict()
        text = json.dumps(good)
        for payload in (b"not JSON", b"", b"\xef\xbb\xbf" + text.encode(), text.encode() + b"\0",
                        text.encode("utf-16"), text[:-1].encode(),
                        text.replace('"_type"', '"_type": "", "_type"').encode(),
                        text.replace('"_type"', '"\\u005ftype": "", "_type"').encode(),
                        text.replace('"PASSED"', '"PASSED", "n": 9007199254740992').encode(),
                        text.replace('"PASSED"', '"PASSED", "n": -1e300').encode(),
                        text.replace('"PASSED"', '"PASSED", "n": NaN').encode(),
                        text.replace('"PASSED"', '"PASSED", "n": "\\ud800"').encode(),
                        text.replace('"PASSED"', '"PASSED", "n": "\\ufdd0"').encode(),
                        text.replace('"PASSED"', '"PASSED", "n": ' + "[" * 31 + "]" * 31).encode()):
            log.refuse("payload-not-json", entry_of(payload, *lab))
        log.take(entry_of(text.replace(
            '"PASSED"', '"PASSED", "n": ' + "[" * 30 + "9007199254740991" + "]" * 30).encode(), *lab))

        good = verdict()
        self.each("statement-shape", good, lab, (("_type",), GONE), (("subject",), {}),
                  (("predicate",), "PASSED"), (("predicateType",), GONE))
        log.refuse("statement-shape", entry_of([verdict()], *lab))
        self.each("statement-type", verdict(), lab, (("_type",), "https://in-toto.io/Statement/v2"))
        log.take(entry_of(changed(verdict(), ("_type",), records.STATEMENT_TYPES[1]), *lab))
        one = good["subject"][0]
        self.each("statement-subject-count", verdict(), lab, (("subject",), []),
                  (("subject",), [one] * 65))
        self.each("statement-subject-shape", verdict(), lab, (("subject", 0), "fw.bin"),
                  (("subject", 0, "name"), 7), (("subject", 0, "digest"), GONE),
                  (("subject", 0, "digest"), [serial()]))
        self.each("statement-digest-form", verdict(), lab,
                  *((("subject", 0, "digest"), {name: value}) for name, value in (
                      ("sha256", serial()[1:]), ("sha256", serial()[:-1] + "A"), ("sha256", 7),
                      ("sha512", serial()), ("gitCommit", "0" * 41), ("sha256", ""))))
        self.each("statement-digest-missing", verdict(), lab, (("subject", 0, "digest"), {}),
                  (("subject", 0, "digest"), {"sha1": "0" * 40}),
                  (("subject", 0, "digest"), {"gitCommit": "0" * 40}),
                  (("subject",), [one, {"name": "other", "digest": {"md5": "0" * 32}}]))
        every = {"sha256": "1" * 64, "sha384": "2" * 96, "sha512": "3" * 128, "hmac_sha256": "4" * 64}
        many = changed(verdict(), ("subject",), [{"digest": every}] * 48)
        self.each("statement-digest-count", many, lab, (("subject",), [{"digest": every}] * 49))
        self.each("statement-predicate-type", verdict(), lab, (("predicateType",), "verdict"),
                  (("predicateType",), "urn:example:with space"),
                  (("predicateType",), "urn:" + "a" * 252))

    def letter_case(self):
        """A name beside the one that it is almost, or in its place, for a reader that folds case to take."""
        lab, vendor, centre, p = (self.lab,), (self.vendor,), (self.centre,), "predicate"
        fresh = Party("lab-8", "lab", "ed25519")
        mine = self.log.take(entry_of(verdict(), *lab))
        for good, signers, *paths in (
                (verdict(), lab, ("Subject",), ("predicatetype",), ("_TYPE",), ("Predicate",),
                 ("\u017fubject",), ("subject", 0, "Digest"), ("subject", 0, "medIaType"),
                 ("subject", 0, "digest", "Sha256"), (p, "configuration", 0, "Uri"),
                 ("subject", 0, "Annotations"), (p, "Result"), (p, "assessMent"), (p, "Salt"),
                 (p, "\u017falt"), (p, "configuration", 0, "URI")),
                (verdict(assessment=assessment()), lab, (p, "assessment", "reportID"),
                 (p, "assessment", "laboratory", "Name"), (p, "assessment", "dates", "ISSUED"),
                 (p, "assessment", "report", "DownloadLocation")),
                (release(firmware=firmware()), vendor, (p, "PURL"), (p, "packageID"),
                 (p, "firmware", "hardwareRevision\u017f"), (p, "firmware", "suit", "digesT")),
                (release(RELEASE_V01), vendor, (p, "releaseid"),),
                (event(attachments=[{"name": "a", "digest": {"sha256": serial()}}]), centre,
                 (p, "EventType"), (p, "initiator", "typeUri"), (p, "targetID"), (p, "target", "ID"),
                 (p, "attachments", 0, "Content")),
                (correction(mine), lab, (p, "Action"), (p, "target", "leafhash"), (p, "Replacement"))):
            self.each("statement-member-case", good, signers, *((path, "x") for path in paths))
        self.each("statement-member-case", self.seal_of_nothing(), lab, ((p, "embargountil"), "x"))
        # A \u212aelvin sign folds to k, as an accreditation's two k's show.
        for path in ((p, "Party"), (p, "\u212aeyidAliases"), (p, "sp\u212ai")):
            self.log.refuse("statement-member-case", entry_of(
                changed(self.accreditation(fresh, (TEST_RESULT,)), path, "x"), self.centre))
        # What nobody defines may be called anything.
        for good in (changed(verdict(), (p, "Extra"), 1), changed(verdict(), ("RESULT",), "FAILED"),
                     changed(verdict(), ("subject", 0, "digest", "MD5"), "x"),
                     changed(verdict(), (p, "PackageId"), "x"), changed(verdict(), ("subjects",), []),
                     statement(OTHER, {"Result": 1, "result": 2, "RESULT": 3})):
            self.log.take(entry_of(good, *lab))

    @staticmethod
    def seal_of_nothing():
        return statement(SEALED, {"reason": "embargo"})

    def predicates(self):
        lab, vendor, centre = (self.lab,), (self.vendor,), (self.centre,)
        p = "predicate"
        self.each("test-result-result", verdict("WARNED"), lab, ((p, "result"), "passed"),
                  ((p, "result"), GONE), ((p, "result"), True))
        good = verdict("FAILED", url="https://lab.example/7", passedTests=["a"], warnedTests=[],
                       failedTests=["b", "c"])
        self.each("test-result-configuration", good, lab, ((p, "configuration"), GONE),
                  ((p, "configuration"), {}), ((p, "configuration", 0), {"name": "plan"}),
                  ((p, "configuration", 0), {"digest": {"sha256": "00"}}))
        self.each("test-result-tests", verdict(passedTests=["a"]), lab, ((p, "passedTests"), "a"),
                  ((p, "failedTests"), [1]), ((p, "warnedTests"), {}))
        a = (p, "assessment")
        self.each("test-result-assessment", verdict(assessment=assessment()), lab, (a, "good"),
                  ((*a, "laboratory"), GONE), ((*a, "laboratory", "name"), ""), ((*a, "reportId"), GONE),
                  ((*a, "scheme"), 18031), ((*a, "decisionRule"), GONE), ((*a, "dates"), GONE),
                  ((*a, "dates", "started"), "2026-02-29T08:00:00Z"),
                  ((*a, "dates", "completed"), "2026-01-03"),
                  ((*a, "dates", "issued"), "2026-01-30T23:59:60Z"),
                  ((*a, "dates", "received"), "2026-01-01t08:00:00z"),
                  ((*a, "deviations"), "none"), ((*a, "report"), {"uri": "https://lab.example/7"}))

        self.each("release-purl", release(), vendor, ((p, "purl"), GONE), ((p, "purl"), "acme/router"),
                  ((p, "purl"), "pkg:router"), ((p, "purl"), "pkg:generic/acme/router"))
        self.each("release-package-id", release(packageId="router"), vendor, ((p, "packageId"), 7))
        self.log.take(entry_of(release(RELEASE_V01), *vendor))
        f = (p, "firmware")
        self.each("release-firmware", release(firmware=firmware()), vendor, (f, []),
                  ((*f, "vendor"), GONE), ((*f, "model"), ""), ((*f, "version"), 1),
                  ((*f, "hardwareRevisions"), "A"), ((*f, "suit"), "manifest"))

        self.each("audit-event-shape", event(), centre, ((p, "id"), GONE), ((p, "action"), ""))
        self.each("audit-event-type", event(eventType="monitor"), centre, ((p, "eventType"), "alarm"),
                  ((p, "eventType"), GONE))
        self.each("audit-event-outcome", event(outcome="failure"), centre, ((p, "outcome"), "good"),
                  ((p, "outcome"), GONE))
        self.each("audit-event-time", event(), centre, ((p, "eventTime"), "yesterday"),
                  ((p, "eventTime"), GONE), ((p, "eventTime"), "2026-01-02T24:00:00Z"))
        self.each("audit-event-resource", event(), centre, ((p, "initiator"), GONE),
                  ((p, "target"), "log"), ((p, "observer"), {"id": "log"}))
        self.each("audit-event-reason", event(eventType="control", reason={"reasonCode": "drill"}),
                  centre, ((p, "reason"), GONE), ((p, "reason"), "drill"))
        self.each("audit-event-attachment",
                  event(attachments=[{"name": "log.txt", "digest": {"sha256": serial()}}]), centre,
                  ((p, "attachments"), "log.txt"), ((p, "attachments", 0), {"name": "log.txt"}),
                  ((p, "attachments", 0, "digest"), {"sha256": "00"}))

    def registry(self):
        log, centre = self.log, self.centre
        fresh = Party("lab-5", "lab", "p256")
        good = self.accreditation(fresh, (TEST_RESULT,))
        both, p = (centre, fresh), "predicate"

        # What says no key, or not enough of it, has one signer only: whose would the other's be?
        def malformed(rule, path, *values):
            for to in values:
                log.refuse(rule, entry_of(changed(good, path, to), centre))

        def refuse(rule, path, to, signers=both):
            log.refuse(rule, entry_of(changed(good, path, to), *signers))

        refuse("accreditation-log", (p, "log"), "example.com/another")
        malformed("accreditation-log", (p, "log"), GONE)
        for name in "party", "role":
            malformed("accreditation-" + name, (p, name), "", "a" * 65, "Lab 5", 5, GONE)
        malformed("accreditation-key", (p, "spki"), *weak_keys(fresh), GONE)
        malformed("accreditation-scheme", (p, "scheme"), "ed25519", GONE)
        malformed("accreditation-subject", ("subject", 0, "digest", "sha256"), "0" * 64)
        malformed("accreditation-subject", ("subject",), good["subject"] * 2)
        malformed("accreditation-aliases", (p, "keyidAliases"), "lab key 5", ["a"] * 9, ["a" * 256])
        malformed("accreditation-predicate-types", (p, "predicateTypes"), TEST_RESULT, ["verdict"],
                  ["urn:example:%d" % i for i in range(33)], [ACCREDITATION], [])
        malformed("accreditation-status", (p, "status"), "revoked", GONE)
        malformed("accreditation-valid-until", (p, "validUntil"), "2027-01-01")
        malformed("accreditation-rules", (p, "admissionRules"), records.RULES)
        malformed("accreditation-recovery", (p, "recovery"),
                  {"spki": good[p]["spki"], "scheme": fresh.scheme})
        malformed("accreditation-previous", (p, "previous"), GONE, 0, {"index": 0, "leafHash": "00"})
        refuse("accreditation-previous-stale", (p, "previous"), self.lab.newest)
        refuse("accreditation-first-status", (p, "status"), "suspended")
        log.refuse("accreditation-possession", entry_of(good, centre))
        # Only the centre accredits, and nobody else's signature belongs there.
        log.refuse("entry-signature", entry_of(good, self.lab, fresh), "signer-not-accredited")
        log.refuse("signer-not-accredited", entry_of(good, centre, fresh, self.lab))
        self.forge(entry_of(good, fresh))
        fresh.newest = log.take(entry_of(good, *both))

        good = self.accreditation(fresh, (TEST_RESULT,), "suspended")
        refuse("accreditation-centre", (p, "status"), "granted", (fresh,))
        refuse("accreditation-key-party", (p, "party"), "lab-6", (centre,))
        refuse("accreditation-key-role", (p, "role"), "vendor", (centre,))
        refuse("accreditation-previous-stale", (p, "previous"), None, (centre,))
        refuse("accreditation-previous-stale", (p, "previous", "leafHash"), "0" * 64, (centre,))
        refuse("accreditation-previous-stale", (p, "previous", "index"), 0, (centre,))
        good_pss = self.accreditation(self.lab2, (TEST_RESULT, CORRECTION))
        log.refuse("accreditation-key-scheme",
                   entry_of(changed(good_pss, (p, "scheme"), "rsa-pkcs1-sha512"), centre))
        fresh.newest = log.take(entry_of(good, centre))

    def corrections(self):
        log, lab, lab2, p = self.log, self.lab, self.lab2, "predicate"
        mine, theirs = (log.take(entry_of(verdict(), party)) for party in (lab, lab2))
        good = correction(mine)
        for change in ((p, "action"), "delete"), ((p, "action"), GONE):
            log.refuse("correction-action", entry_of(changed(good, *change), lab))
        log.refuse("correction-reason", entry_of(changed(good, (p, "reason"), GONE), lab))
        for target in (GONE, 7, {"index": "0", "leafHash": "0" * 64}, {"index": 0}):
            log.refuse("correction-target", entry_of(changed(good, (p, "target"), target), lab))
        log.refuse("correction-replacement", entry_of(changed(good, (p, "action"), "replace"), lab))
        log.refuse("correction-replacement", entry_of(changed(good, (p, "replacement"), theirs), lab))
        log.refuse("correction-replacement", entry_of(
            correction(mine, action="replace", replacement=mine), lab))
        log.refuse("correction-subject", entry_of(
            changed(good, ("subject", 0, "digest", "sha256"), "0" * 64), lab))
        for later in (0, 1000):
            log.refuse("correction-target-index",
                       entry_of(correction({**mine, "index": log.size + later}), lab))
        log.refuse("correction-target-leaf", entry_of(correction({**mine, "index": theirs["index"]}), lab))
        log.refuse("correction-target-leaf", entry_of(
            correction(mine, action="replace", replacement={**theirs, "leafHash": "0" * 64}), lab))
        log.refuse("correction-registry", entry_of(correction(lab.newest), lab))
        log.refuse("correction-registry", entry_of(
            correction(mine, action="replace", replacement=lab.newest), lab))
        log.refuse("correction-party", entry_of(good, lab2))
        log.take(entry_of(good, lab))
        log.take(entry_of(correction(theirs), self.centre))
        again = log.take(entry_of(verdict(), lab))
        log.take(entry_of(correction(mine, action="replace", replacement=again), lab))

    def seals(self):
        log, lab, p = self.log, self.lab, "predicate"
        salted = entry_of(verdict("FAILED", salt="0123456789abcdef" * 2), lab)
        unsalted, short = (entry_of(verdict("FAILED", **more), lab) for more in ({}, {"salt": "abcd"}))
        other_key = entry_of(verdict("FAILED", salt="ab" * 16), self.lab3)
        good = seal(salted, embargoUntil="2027-01-01T00:00:00Z", reason="embargo")
        two = changed(good, ("subject",), good["subject"] * 2)
        log.refuse("sealed-subject", entry_of(two, lab))
        log.refuse("sealed-subject", entry_of(
            changed(good, ("subject", 0, "digest"), {"sha512": "0" * 128}), lab))
        self.each("sealed-members", good, (lab,), ((p, "embargoUntil"), "2027"), ((p, "reason"), 7))
        for entry in (unsalted, short, other_key):
            log.take(entry_of(seal(entry), lab))
        self.state(lab, SEALED, CORRECTION, OTHER)
        log.refuse("sealed-salt", unsalted)
        log.refuse("sealed-salt", short)
        log.refuse("signer-not-accredited", entry_of(verdict("FAILED", salt="ef" * 16), lab))
        # Sealed by another key than its own: worth nothing once its own has ended.
        self.state(self.lab3, status="ended")
        log.refuse("signer-ended", other_key)
        # Suspended after it was sealed, and revealed nevertheless.
        self.state(lab, status="suspended")
        log.take(salted)

    def centre_changes(self):
        log, p = self.log, "predicate"
        centre2, recovery2 = Party("centre", "centre", "p256"), Party("centre", "recovery", "ed25519")
        types = (ACCREDITATION, AUDIT_EVENT)
        other = changed(self.accreditation(centre2, types), (p, "party"), "usurper")
        log.refuse("accreditation-centre-party", entry_of(other, self.centre, centre2))
        recover = self.accreditation(recovery2, (ACCREDITATION,))
        # It could never be granted again.
        log.refuse("accreditation-status", entry_of(
            self.accreditation(self.recovery, (ACCREDITATION,), "suspended"), self.recovery))
        log.refuse("accreditation-recovery-only", entry_of(recover, self.centre, recovery2))
        kept = entry_of(event(), self.centre)
        self.grant(centre2, *types)
        # The old key ended where the new one began.
        log.refuse("signer-ended", kept)
        fresh = Party("lab-6", "lab", "ed25519")
        log.refuse("signer-ended", entry_of(self.accreditation(fresh, (TEST_RESULT,)), self.centre, fresh))
        log.take(entry_of(event(), centre2))
        self.grant(fresh, TEST_RESULT, by=centre2)
        self.grant(recovery2, ACCREDITATION, by=self.recovery)
        log.refuse("signer-ended",
                   entry_of(self.accreditation(Party("lab-7", "lab", "ed25519"), (TEST_RESULT,)),
                            self.recovery))
        # The centre's key is lost: the recovery key grants the next.
        self.state(centre2, status="suspended", signers=(recovery2,))
        log.refuse("signer-suspended", entry_of(event(), centre2))
        centre3 = Party("centre", "centre", "ed25519")
        self.grant(centre3, *types, by=recovery2)
        log.take(entry_of(event(), centre3))


def weak_keys(party):
    """SPKIs that no party may have, in base64."""
    def text(der):
        return base64.b64encode(der).decode()

    yield "not base64"
    yield text(party.spki) + "\n"
    yield text(party.spki[:-1])
    yield text(party.spki + b"\0")
    # The same point in compressed form: another SPKI of one key.
    yield text(party.private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP521R1())):
        yield text(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    for point in (1, 0, 2 ** 255 - 20, 2 ** 255 - 19):  # of small order
        yield text(bytes.fromhex("302a300506032b6570032100") + point.to_bytes(32, "little"))


# --- entries 0 that must not begin a log ---------------------------------------------------------------


def zeros(story):
    """name: (rule, entry[, what a log in records mode answers instead])"""
    s, p = story, "predicate"
    both, good = (story.centre, story.recovery), story.zero()
    other = Party("centre", "centre", "ed25519")
    return {
        "a-verdict": ("log-not-begun", entry_of(verdict(), s.centre)),
        "a-stranger": ("accreditation-entry-zero", entry_of(good, other), "log-not-begun"),
        "another-centre": ("accreditation-entry-zero", entry_of(
            s.accreditation(other, (ACCREDITATION,), admissionRules=records.RULES,
                            recovery=good[p]["recovery"]), other, s.recovery), "log-not-begun"),
        "a-lab": ("accreditation-entry-zero",
                  entry_of(s.accreditation(s.lab, (TEST_RESULT,)), s.lab), "log-not-begun"),
        "rules-of-another-version": ("accreditation-rules", entry_of(
            changed(good, (p, "admissionRules"), "urn:vitrine:admission-rules:v2"), s.centre)),
        "no-rules": ("accreditation-rules", entry_of(changed(good, (p, "admissionRules"), GONE), *both)),
        "no-recovery": ("accreditation-recovery", entry_of(changed(good, (p, "recovery"), GONE), s.centre)),
        "recovery-unproven": ("accreditation-possession", entry_of(good, s.centre)),
        "suspended": ("accreditation-entry-zero", entry_of(changed(good, (p, "status"), "suspended"), *both)),
        "previous": ("accreditation-entry-zero", entry_of(
            changed(good, (p, "previous"), {"index": 0, "leafHash": "0" * 64}), *both)),
        "another-log": ("accreditation-log", entry_of(
            changed(good, (p, "log"), "example.com/another"), *both)),
    }


# --- the command ---------------------------------------------------------------------------------------


def check_rules(openapi):
    story = Story(Told(), "example.com/rules")
    story.tell()
    broken = story.log.over_http - {None, KNOWN, TAKES_LESS}
    broken |= {*story.log.broken, *(rule for rule, *_ in zeros(story).values())}
    text = pathlib.Path(openapi).read_text(encoding="utf-8")
    known = re.findall(r"- urn:vitrine:problem:([a-z0-9-]+)", text)
    # The admission rules come first, then what the API has besides.
    rules = set(known[:known.index("bad-request")])
    for rule in sorted(rules - NOT_IN_ENTRIES - broken):
        print("forced.py: nothing breaks %s" % rule, file=sys.stderr)
    for rule in sorted(broken - rules) + sorted(NOT_IN_ENTRIES - rules):
        print("forced.py: the contract has no %s" % rule, file=sys.stderr)
    print("forced.py: %d entries that break %d rules, among %d that are admissible" %
          (len(story.log.broken), len(broken), story.log.size))
    return 0 if rules == broken | NOT_IN_ENTRIES else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("rules", "records", "raw", "zeros", "zero"))
    parser.add_argument("name", nargs="?")
    for option in ("--openapi", "--log", "--origin", "--centre", "--out"):
        parser.add_argument(option)
    given = parser.parse_args()
    if given.mode == "rules":
        return check_rules(given.openapi)
    if given.mode == "zeros":
        print("\n".join(zeros(Story(Told(), ""))))
        return 0
    url = given.log.rstrip("/") + "/"
    log = RecordsLog(url) if given.mode == "records" else RawLog(url)
    centre = load_pem_private_key(pathlib.Path(given.centre).read_bytes(), None)
    story = Story(log, given.origin, centre)
    if given.mode == "zero":
        log.refuse(*zeros(story)[given.name])
    else:
        if given.mode == "records":
            for rule, entry, *over_http in zeros(story).values():
                log.refuse(rule, entry, *over_http)
        story.tell()
    if given.mode != "records":
        pathlib.Path(given.out).write_text("".join(log.expected), encoding="ascii")
    print("forced.py: %s: %d entries, %d refusals" % (given.mode, log.size, len(log.broken)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
