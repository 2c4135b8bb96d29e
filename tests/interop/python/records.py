"""Vitrine's admission rules (urn:vitrine:admission-rules:v1), a second time.

Whether a record is admissible at an index depends on the entries before it and on nothing else, so
anyone can replay it. This is written from the rules, shares no code with the server, and uses other
people's cryptography (OpenSSL through `cryptography`) and JSON (Python's). Names of problems are the
server's, so that verdicts can be compared.
"""

import base64
import binascii
import hashlib
import json
import re

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature, encode_dss_signature)

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
RULES = "urn:vitrine:admission-rules:v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
RELEASE_V01 = "https://in-toto.io/attestation/release/v0.1"
RELEASE_V02 = "https://in-toto.io/attestation/release/v0.2"
AUDIT_EVENT = "urn:vitrine:predicate:audit-event:v1"
ACCREDITATION = "urn:vitrine:predicate:accreditation:v1"
SEALED = "urn:vitrine:predicate:sealed-record:v1"
CORRECTION = "urn:vitrine:predicate:correction:v1"

BODY_MAX, ENTRY_MAX, DEPTH_MAX, NUMBER_MAX = 256 * 1024, 65535, 32, 2**53 - 1
SIGNATURES_MAX, SUBJECTS_MAX, DIGESTS_MAX = 16, 64, 192
TEXT_MAX, LIST_MAX, SEALED_CANDIDATES_MAX = 4096, 10000, 16


class Problem(Exception):
    """Not admissible; `slug` names the rule, and `index` the entry that is this record already."""

    def __init__(self, slug, detail="", index=None):
        super().__init__("%s: %s" % (slug, detail))
        self.slug, self.index = slug, index


# --- JSON and base64 -------------------------------------------------------------------------


def parse_json(data, slug, depth_slug=None):
    """I-JSON (RFC 7493), depth <= 32, numbers within 2^53."""
    def members(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError("a duplicate member")
        return dict(pairs)

    def number(text):
        value = int(text) if re.fullmatch(r"-?[0-9]+", text) else float(text)
        if abs(value) > NUMBER_MAX:
            raise ValueError("a number beyond 2^53")
        return value

    def no_constant(text):
        raise ValueError(text)

    def walk(value, depth):
        if isinstance(value, str):
            value.encode()  # an unpaired surrogate has no UTF-8
            if any(0xfdd0 <= ord(c) <= 0xfdef or ord(c) & 0xfffe == 0xfffe for c in value):
                raise ValueError("a noncharacter")
        elif isinstance(value, (dict, list)):
            if depth > DEPTH_MAX:
                raise Problem(depth_slug or slug, "deeper than %d" % DEPTH_MAX)
            for name in value if isinstance(value, dict) else ():
                walk(name, depth)
                if "\0" in name:
                    raise ValueError("U+0000 in a name")
            for item in value.values() if isinstance(value, dict) else value:
                walk(item, depth + 1)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=members, parse_int=number,
                           parse_float=number, parse_constant=no_constant)
        walk(value, 1)
    except (ValueError, RecursionError) as why:
        raise Problem(slug, str(why)) from why
    return value


def decode_base64(text, any_alphabet):
    """No white space, right length, zero trailing bits; one alphabet."""
    if any_alphabet and "-" not in text and "_" not in text or not any_alphabet:
        alphabet = "+/"
    else:
        alphabet = "-_"
    body = text.rstrip("=")
    if any_alphabet and len(body) == len(text):
        text = body + "=" * (-len(body) % 4)
    try:
        data = base64.b64decode(text, altchars=alphabet.encode(), validate=True)
    except (binascii.Error, ValueError) as why:
        raise ValueError("not base64") from why
    if base64.b64encode(data, altchars=alphabet.encode()).decode() != text:
        raise ValueError("not canonical base64")
    return data


# --- keys ------------------------------------------------------------------------------------

P = 2**255 - 19


def small_order_points():
    """The encodings of Edwards25519's points of order 1, 2, 4 and 8, by their y coordinate."""
    d = -121665 * pow(121666, P - 2, P) % P
    ys = {0, 1, P - 1}
    # Points of order 8 have y^4 d + 2 y^2 - 1 = 0; y^2 = (-1 +- sqrt(1 + d)) / d.
    root = pow(1 + d, (P + 3) // 8, P)
    if root * root % P != (1 + d) % P:
        root = root * pow(2, (P - 1) // 4, P) % P
    assert root * root % P == (1 + d) % P
    for square in ((-1 + root) * pow(d, P - 2, P) % P, (-1 - root) * pow(d, P - 2, P) % P):
        y = pow(square, (P + 3) // 8, P)
        if y * y % P != square:
            y = y * pow(2, (P - 1) // 4, P) % P
        if y * y % P == square:
            ys |= {y, P - y}
    return ys


SMALL_ORDER = small_order_points()


class Key:
    def __init__(self, spki):
        try:
            self.key = serialization.load_der_public_key(spki)
        except (ValueError, UnsupportedAlgorithm) as why:
            raise ValueError("not a public key") from why
        canonical = self.key.public_bytes(serialization.Encoding.DER,
                                          serialization.PublicFormat.SubjectPublicKeyInfo)
        if canonical != spki:
            raise ValueError("not canonical")
        self.schemes = ()
        if isinstance(self.key, ed25519.Ed25519PublicKey):
            self.schemes = ("ed25519",)
            y = int.from_bytes(spki[-32:], "little") & ((1 << 255) - 1)
            if y % P in SMALL_ORDER:
                raise ValueError("small order")
        elif isinstance(self.key, ec.EllipticCurvePublicKey):
            self.schemes = {"secp256r1": ("ecdsa-p256-sha256",),
                            "secp384r1": ("ecdsa-p384-sha384",)}.get(self.key.curve.name, ())
        elif isinstance(self.key, rsa.RSAPublicKey) and 3072 <= self.key.key_size <= 4096:
            self.schemes = tuple("rsa-%s-sha%d" % (how, bits)
                                 for how in ("pss", "pkcs1") for bits in (256, 384, 512))
        if not self.schemes:
            raise ValueError("not a kind of key that is taken")
        self.spki, self.id = spki, hashlib.sha256(spki).hexdigest()

    def verify(self, scheme, message, signature):
        """The signature as an entry keeps it, or None."""
        hash_ = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}.get(scheme[-3:])
        try:
            if scheme == "ed25519":
                self.key.verify(signature, message)
            elif scheme.startswith("ecdsa"):
                return self.verify_ecdsa(hash_(), message, signature)
            elif scheme.startswith("rsa-pss"):
                pss = padding.PSS(padding.MGF1(hash_()), salt_length=hash_.digest_size)
                self.key.verify(signature, message, pss, hash_())
            else:
                self.key.verify(signature, message, padding.PKCS1v15(), hash_())
        except (InvalidSignature, ValueError):
            return None
        return signature

    def verify_ecdsa(self, hash_, message, signature):
        """DER or the fixed form r || s."""
        half = self.key.key_size // 8
        forms = []
        if len(signature) == 2 * half:
            forms.append(encode_dss_signature(int.from_bytes(signature[:half], "big"),
                                              int.from_bytes(signature[half:], "big")))
        try:
            if encode_dss_signature(*decode_dss_signature(signature)) == signature:
                forms.append(signature)
        except ValueError:
            pass
        for der in forms:
            try:
                self.key.verify(der, message, ec.ECDSA(hash_))
                return der
            except InvalidSignature:
                pass
        return None


# --- envelopes -------------------------------------------------------------------------------


def pae(payload):
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def need(value, kind, slug, path):
    if not isinstance(value, kind) or isinstance(value, bool) and kind is int:
        raise Problem(slug, path)
    return value


class Envelope:
    def __init__(self, body):
        if len(body) > BODY_MAX:
            raise Problem("body-too-large")
        value = parse_json(body, "body-not-json", "body-depth")
        need(value, dict, "envelope-shape", "the body")
        kind = need(value.get("payloadType"), str, "envelope-shape", "payloadType")
        if kind != PAYLOAD_TYPE:
            raise Problem("envelope-payload-type", kind)
        self.payload = self.decode(value.get("payload"), "payload")
        self.signatures = []
        listed = need(value.get("signatures"), list, "envelope-shape", "signatures")
        if not 1 <= len(listed) <= SIGNATURES_MAX:
            raise Problem("envelope-signature-count", str(len(listed)))
        for one in listed:
            need(one, dict, "envelope-shape", "signatures[]")
            keyid = one.get("keyid")
            keyid = "" if keyid is None else need(keyid, str, "envelope-shape", "keyid")
            self.signatures.append((keyid, self.decode(one.get("sig"), "sig")))
        if len(canonical_entry(self.payload, [])) > ENTRY_MAX:
            raise Problem("entry-too-large")
        self.pae = pae(self.payload)
        self.pae_hash = hashlib.sha256(self.pae).hexdigest()

    @staticmethod
    def decode(value, path):
        need(value, str, "envelope-shape", path)
        try:
            return decode_base64(value, any_alphabet=True)
        except ValueError as why:
            raise Problem("envelope-base64", path) from why


def canonical_entry(payload, kept):
    signatures = ",".join('{"keyid":"%s","sig":"%s"}' % (keyid, base64.b64encode(sig).decode())
                          for keyid, sig in kept)
    return ('{"payload":"%s","payloadType":"%s","signatures":[%s]}' %
            (base64.b64encode(payload).decode(), PAYLOAD_TYPE, signatures)).encode()


# --- rules that predicates share -------------------------------------------------------------


def text(value, slug, path, optional=False, most=TEXT_MAX):
    if optional and value is None:
        return None
    need(value, str, slug, path)
    if not 1 <= len(value.encode()) <= most or "\0" in value:
        raise Problem(slug, path)
    return value


TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))",
                  re.ASCII)


def month_days(year, month):
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]


def time(value, slug, path):
    """RFC 3339: seconds since the year 0 and decimals, to compare. Python's own dates end in 9999."""
    text(value, slug, path)
    form = TIME.fullmatch(value)
    if not form:
        raise Problem(slug, path)
    year, month, day, hour, minute, second = map(int, form.groups()[:6])
    east = (int(form[9]) * 60 + int(form[10])) * (-1 if form[8] == "-" else 1) if form[8] else 0
    if (not 1 <= month <= 12 or not 1 <= day <= month_days(year, month) or hour > 23 or minute > 59 or
            second > 60 or form[8] and (int(form[9]) > 23 or int(form[10]) > 59)):
        raise Problem(slug, path)
    if second == 60:
        # The minute that it ends must be a month's last, in UTC.
        days, left = divmod(hour * 60 + minute + 1 - east, 1440)
        last = month_days(year, month)
        if left or not (day == last and days == 1 or day == 1 and days == 0 or
                        day == last - 1 and days == 2):
            raise Problem(slug, path + ": a leap second only ends a month")
    days = (365 * year + (year + 3) // 4 - (year + 99) // 100 + (year + 399) // 400 +
            sum(month_days(year, m) for m in range(1, month)) + day)
    return ((days * 24 + hour) * 60 + minute - east) * 60 + second, (form[7] or "").rstrip("0")


def listed(value, slug, path, most=LIST_MAX):
    if value is None:
        return None
    need(value, list, slug, path)
    if len(value) > most:
        raise Problem(slug, path)
    return value


def texts(value, slug, path, most=LIST_MAX, most_bytes=TEXT_MAX):
    return [text(item, slug, path, most=most_bytes) for item in listed(value, slug, path, most) or ()]


def entry_ref(value, slug, path):
    need(value, dict, slug, path)
    index = need(value.get("index"), int, slug, path + ".index")
    leaf = need(value.get("leafHash"), str, slug, path + ".leafHash")
    if index < 0 or not re.fullmatch(r"[0-9a-f]{64}", leaf):
        raise Problem(slug, path)
    return index, leaf


DIGESTS = {"sha256": 64, "sha384": 96, "sha512": 128, "sha512_256": 64, "sha3_256": 64,
           "sha3_384": 96, "sha3_512": 128, "gitCommit": 64, "gitTree": 64, "gitBlob": 64,
           "gitTag": 64, "hmac_sha256": 64}


def strong_digests(value, slug, path):
    need(value, dict, slug, path)
    strong = []
    for name, digest in value.items():
        need(digest, str, slug, path + "." + name)
        if name not in DIGESTS:
            continue
        if not re.fullmatch(r"[0-9a-f]*", digest):
            raise Problem(slug, path + "." + name)
        if name.startswith("git") and len(digest) == 40:
            continue
        if len(digest) != DIGESTS[name]:
            raise Problem(slug, path + "." + name)
        strong.append((name, digest))
    return strong


def one_strong_digest(value, slug, path):
    if not strong_digests(value, slug, path):
        raise Problem(slug, path)


def strings(value, names, slug, path):
    for name in names:
        if value.get(name) is not None:
            need(value[name], str, slug, path + "." + name)


def resource(value, slug, path):
    need(value, dict, slug, path)
    strings(value, ("name", "uri", "content", "downloadLocation", "mediaType"), slug, path)
    if value.get("digest") is not None:
        strong_digests(value["digest"], slug, path + ".digest")
    if all(value.get(name) is None for name in ("digest", "uri", "content")):
        raise Problem(slug, path)


def plausible_uri(value):
    return (len(value.encode()) <= 255 and
            re.fullmatch(r'[a-z][a-z0-9+.-]*:[^\x00-\x20\x7f-\U0010ffff"<>\\^`{|}]+', value) is not None)


# --- names in other letter case -----------------------------------------------------------------

# What is defined for an object: its members, and what is defined inside those (also in lists of them).
REF = {"index": {}, "leafHash": {}}
DIGEST = {name: {} for name in DIGESTS}
RESOURCE = {"name": {}, "uri": {}, "digest": DIGEST, "content": {}, "downloadLocation": {}, "mediaType": {},
            "annotations": {}}
ACTOR = {"id": {}, "typeURI": {}, "name": {}}
RELEASE = {"purl": {}, "firmware": {"vendor": {}, "model": {}, "version": {}, "hardwareRevisions": {},
                                    "suit": RESOURCE}, "salt": {}}
PREDICATES = {
    TEST_RESULT: {
        "result": {}, "configuration": RESOURCE, "url": {}, "passedTests": {}, "warnedTests": {},
        "failedTests": {}, "salt": {}, "assessment": {
            "laboratory": {"name": {}, "location": {}, "accreditation": {}}, "reportId": {}, "scheme": {},
            "decisionRule": {}, "deviations": {}, "report": RESOURCE,
            "dates": {"received": {}, "started": {}, "completed": {}, "issued": {}}}},
    RELEASE_V02: {**RELEASE, "packageId": {}},
    RELEASE_V01: {**RELEASE, "releaseId": {}},
    AUDIT_EVENT: {
        "id": {}, "action": {}, "eventType": {}, "outcome": {}, "eventTime": {}, "reason": {}, "salt": {},
        "initiator": ACTOR, "target": ACTOR, "observer": ACTOR, "initiatorId": {}, "targetId": {},
        "observerId": {}, "attachments": {"digest": DIGEST, "content": {}}},
    ACCREDITATION: {
        **{name: {} for name in ("log", "party", "role", "spki", "scheme", "keyidAliases", "predicateTypes",
                                 "status", "validUntil", "admissionRules")},
        "previous": REF, "recovery": {"spki": {}, "scheme": {}}},
    SEALED: {"embargoUntil": {}, "reason": {}, "salt": {}},
    CORRECTION: {"action": {}, "reason": {}, "target": REF, "replacement": REF, "salt": {}},
}


def fold(name):
    """Unicode's simple case folding, as far as it leads to ASCII."""
    return "".join(c.lower() if c.isascii() else {"\u017f": "s", "\u212a": "k"}.get(c, c) for c in name)


def check_case(value, defined, path=""):
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            continue
        almost = {fold(name) for name in defined}
        for name, inner in item.items():
            if name in defined:
                if defined[name]:
                    check_case(inner, defined[name], "%s.%s" % (path, name))
            elif fold(name) in almost:
                raise Problem("statement-member-case", "%s.%s" % (path, name))


# --- statements and predicates ---------------------------------------------------------------


class Statement:
    def __init__(self, payload):
        self.payload = payload
        value = parse_json(payload, "payload-not-json")
        need(value, dict, "statement-shape", "the payload")
        if need(value.get("_type"), str, "statement-shape", "_type") not in STATEMENT_TYPES:
            raise Problem("statement-type")
        self.type = need(value.get("predicateType"), str, "statement-shape", "predicateType")
        if not plausible_uri(self.type):
            raise Problem("statement-predicate-type", self.type)
        predicate = value.get("predicate")
        self.predicate = {} if predicate is None else need(predicate, dict, "statement-shape",
                                                           "predicate")
        check_case(value, {"_type": {}, "subject": RESOURCE, "predicateType": {}, "predicate": {}})
        check_case(self.predicate, PREDICATES.get(self.type, {}))
        subjects = need(value.get("subject"), list, "statement-shape", "subject")
        if not 1 <= len(subjects) <= SUBJECTS_MAX:
            raise Problem("statement-subject-count")
        self.subjects, self.digests = len(subjects), []
        for subject in subjects:
            self.take_subject(subject)

    def take_subject(self, subject):
        need(subject, dict, "statement-subject-shape", "subject[]")
        strings(subject, ("name", "uri", "downloadLocation", "mediaType"), "statement-subject-shape",
                "subject[]")
        digest = need(subject.get("digest"), dict, "statement-subject-shape", "digest")
        strong = strong_digests(digest, "statement-digest-form", "digest")
        if not strong:
            raise Problem("statement-digest-missing")
        self.digests += strong
        if len(self.digests) > DIGESTS_MAX:
            raise Problem("statement-digest-count")

    def is_about(self, digest):
        """One subject, with this SHA-256 and no other strong digest."""
        return self.subjects == 1 and self.digests == [("sha256", digest)]


def check_test_result(s):
    p = s.predicate
    if need(p.get("result"), str, "test-result-result", "result") not in ("PASSED", "WARNED", "FAILED"):
        raise Problem("test-result-result")
    configuration = listed(p.get("configuration"), "test-result-configuration", "configuration")
    if configuration is None:
        raise Problem("test-result-configuration", "missing")
    for item in configuration:
        resource(item, "test-result-configuration", "configuration")
    for name in ("passedTests", "warnedTests", "failedTests"):
        texts(p.get(name), "test-result-tests", name)
    text(p.get("url"), "test-result-tests", "url", optional=True)
    assessment = p.get("assessment")
    if assessment is None:
        return
    slug = "test-result-assessment"
    need(assessment, dict, slug, "assessment")
    laboratory = need(assessment.get("laboratory"), dict, slug, "laboratory")
    text(laboratory.get("name"), slug, "laboratory.name")
    for name in ("location", "accreditation"):
        text(laboratory.get(name), slug, name, optional=True)
    for name in ("reportId", "scheme", "decisionRule"):
        text(assessment.get(name), slug, name)
    dates = need(assessment.get("dates"), dict, slug, "dates")
    if dates.get("received") is not None:
        time(dates["received"], slug, "received")
    started, completed, _ = (time(dates.get(name), slug, name)
                             for name in ("started", "completed", "issued"))
    if completed < started:
        raise Problem(slug, "completed before started")
    if assessment.get("deviations") is None:
        raise Problem(slug, "deviations")
    texts(assessment["deviations"], slug, "deviations")
    resource(assessment.get("report"), slug, "report")
    one_strong_digest(assessment["report"].get("digest"), slug, "report.digest")


def check_release(s):
    purl = text(s.predicate.get("purl"), "release-purl", "purl")
    path = purl.removeprefix("pkg:").lstrip("/").split("#")[0].split("?")[0]
    kind, slash, rest = path.partition("/")
    name, at, version = rest.rpartition("/")[2].rpartition("@")
    if (not purl.startswith("pkg:") or not plausible_uri(purl) or not slash or
            not re.fullmatch(r"[A-Za-z][A-Za-z0-9.+-]*", kind) or not at or not name or not version):
        raise Problem("release-purl", purl)
    text(s.predicate.get("releaseId" if s.type == RELEASE_V01 else "packageId"),
         "release-package-id", "id", optional=True)
    firmware = s.predicate.get("firmware")
    if firmware is None:
        return
    need(firmware, dict, "release-firmware", "firmware")
    for name in ("vendor", "model", "version"):
        text(firmware.get(name), "release-firmware", name)
    texts(firmware.get("hardwareRevisions"), "release-firmware", "hardwareRevisions")
    suit = firmware.get("suit")
    if suit is not None:
        resource(suit, "release-firmware", "suit")
        one_strong_digest(suit.get("digest"), "release-firmware", "suit.digest")


def check_audit_event(s):
    p = s.predicate
    text(p.get("id"), "audit-event-shape", "id")
    text(p.get("action"), "audit-event-shape", "action")
    kind = text(p.get("eventType"), "audit-event-type", "eventType")
    if kind not in ("activity", "monitor", "control"):
        raise Problem("audit-event-type", kind)
    if kind == "control":
        need(p.get("reason"), dict, "audit-event-reason", "reason")
    outcome = text(p.get("outcome"), "audit-event-outcome", "outcome")
    if not re.fullmatch(r"(success|failure|unknown|pending)(/.+)?", outcome, re.DOTALL):
        raise Problem("audit-event-outcome", outcome)
    time(p.get("eventTime"), "audit-event-time", "eventTime")
    for name in ("initiator", "target", "observer"):
        if p.get(name) is None and p.get(name + "Id") is not None:
            text(p[name + "Id"], "audit-event-resource", name)
            continue
        who = need(p.get(name), dict, "audit-event-resource", name)
        text(who.get("id"), "audit-event-resource", "id")
        text(who.get("typeURI"), "audit-event-resource", "typeURI")
        text(who.get("name"), "audit-event-resource", "name", optional=True)
    for attachment in listed(p.get("attachments"), "audit-event-attachment", "attachments") or ():
        need(attachment, dict, "audit-event-attachment", "attachments[]")
        if attachment.get("digest") is not None:
            one_strong_digest(attachment["digest"], "audit-event-attachment", "digest")
        elif attachment.get("content") is None:
            raise Problem("audit-event-attachment")


def check_sealed(s):
    if s.subjects != 1 or [name for name, _ in s.digests] != ["sha256"]:
        raise Problem("sealed-subject")
    if s.predicate.get("embargoUntil") is not None:
        time(s.predicate["embargoUntil"], "sealed-members", "embargoUntil")
    text(s.predicate.get("reason"), "sealed-members", "reason", optional=True)


def check_correction(s):
    action = text(s.predicate.get("action"), "correction-action", "action")
    if action not in ("withdraw", "replace"):
        raise Problem("correction-action", action)
    text(s.predicate.get("reason"), "correction-reason", "reason")
    index, leaf = entry_ref(s.predicate.get("target"), "correction-target", "target")
    if not s.is_about(leaf):
        raise Problem("correction-subject")
    replacement = s.predicate.get("replacement")
    if action == "withdraw" and replacement is not None:
        raise Problem("correction-replacement")
    if action == "replace" and entry_ref(replacement, "correction-replacement", "")[0] == index:
        raise Problem("correction-replacement", "the target itself")


class Claim:
    """What an accreditation says by itself."""

    def __init__(self, s):
        p = s.predicate
        self.log = text(p.get("log"), "accreditation-log", "log")
        self.party = self.name(p.get("party"), "accreditation-party")
        self.role = self.name(p.get("role"), "accreditation-role")
        self.key, self.scheme = self.take_key(p, "accreditation-key", "accreditation-scheme")
        if not s.is_about(self.key.id):
            raise Problem("accreditation-subject")
        self.aliases = texts(p.get("keyidAliases"), "accreditation-aliases", "keyidAliases", 8, 255)
        self.status = text(p.get("status"), "accreditation-status", "status")
        if (self.status not in ("granted", "suspended", "ended") or
                self.status == "suspended" and self.role == "recovery"):
            raise Problem("accreditation-status", self.status)
        self.take_types(p)
        if "previous" not in p:
            raise Problem("accreditation-previous", "missing")
        self.previous = p["previous"]
        if self.previous is not None:
            self.previous = entry_ref(self.previous, "accreditation-previous", "previous")
        if p.get("validUntil") is not None:
            time(p["validUntil"], "accreditation-valid-until", "validUntil")
        self.rules = text(p.get("admissionRules"), "accreditation-rules", "admissionRules",
                          optional=True)
        if self.rules is not None and (self.role != "centre" or self.rules != RULES):
            raise Problem("accreditation-rules", self.rules)
        self.recovery = None
        if p.get("recovery") is not None:
            slug = "accreditation-recovery"
            need(p["recovery"], dict, slug, "recovery")
            if self.role != "centre":
                raise Problem(slug)
            self.recovery, self.recovery_scheme = self.take_key(p["recovery"], slug, slug)
            if self.recovery.id == self.key.id:
                raise Problem(slug, "the same key")

    @staticmethod
    def name(value, slug):
        text(value, slug, slug)
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", value):
            raise Problem(slug, value)
        return value

    @staticmethod
    def take_key(value, key_slug, scheme_slug):
        spki = text(value.get("spki"), key_slug, "spki")
        try:
            key = Key(decode_base64(spki, any_alphabet=False))
        except ValueError as why:
            raise Problem(key_slug, str(why)) from why
        scheme = text(value.get("scheme"), scheme_slug, "scheme")
        if scheme not in key.schemes:
            raise Problem(scheme_slug, scheme)
        return key, scheme

    def take_types(self, p):
        slug = "accreditation-predicate-types"
        self.types = listed(p.get("predicateTypes"), slug, "predicateTypes", 32) or []
        for kind in self.types:
            if not isinstance(kind, str) or not plausible_uri(kind) or self.types.count(kind) > 1:
                raise Problem(slug)
        if not self.types and self.status != "granted":
            return
        may = ACCREDITATION in self.types
        if (not self.types or self.role == "recovery" and self.types != [ACCREDITATION] or
                may != (self.role in ("centre", "recovery"))):
            raise Problem(slug)


CHECKS = {TEST_RESULT: check_test_result, RELEASE_V01: check_release, RELEASE_V02: check_release,
          AUDIT_EVENT: check_audit_event, SEALED: check_sealed, CORRECTION: check_correction}


# --- the log ---------------------------------------------------------------------------------


class Registered:
    """A key and what was said about it, oldest first: (index, leaf, status, types)."""

    def __init__(self, key, scheme, party, role):
        self.key, self.scheme, self.party, self.role, self.history = key, scheme, party, role, []

    def at(self, index):
        return next((a for a in reversed(self.history) if a[0] < index), None)

    def allows(self, index, kind):
        a = self.at(index)
        return a is not None and a[2] == "granted" and kind in a[3]


class Log:
    """The entries so far, and what they make admissible next."""

    def __init__(self, origin, centre=None, gaps=False):
        self.origin, self.centre = origin, centre  # SPKI that must sign entry 0, if it is pinned
        self.gaps = gaps  # of a file, which shows of each key what is in force, not its whole history
        self.entries, self.leaves, self.keys = [], [], {}
        self.pairs = {}       # (PAE hash, keyid) -> its first index
        self.sealed = {}      # (PAE hash, keyid) -> indexes of sealed records
        self.statements, self.signers = [], []

    def current(self, role):
        return next((k for k in self.keys.values()
                     if k.role == role and k.history[-1][2] == "granted"), None)

    # -- whose signatures

    def keep_signatures(self, envelope):
        """[(keyid, signature as kept)], at least one: those under a key ever registered, one a key."""
        kept = {}

        def attempt(key, scheme):
            for i, (_, signature) in enumerate(envelope.signatures):
                if key.id not in kept and i not in used:
                    canonical = key.verify(scheme, envelope.pae, signature)
                    if canonical is not None:
                        kept[key.id] = canonical
                        used.add(i)

        used = set()
        for registered in self.keys.values():
            attempt(registered.key, registered.scheme)
        if not self.entries or any(self.keys[k].role in ("centre", "recovery") for k in kept):
            try:
                claim = self.claim_of(Statement(envelope.payload))
            except Problem:
                claim = None
            if not self.entries and self.centre:
                centre = Key(self.centre)
                mine = claim is not None and claim.key.id == centre.id
                attempt(centre, claim.scheme if mine else centre.schemes[0])
            elif claim:
                attempt(claim.key, claim.scheme)
            if not self.entries and claim and claim.recovery and kept:
                attempt(claim.recovery, claim.recovery_scheme)
        if not kept:
            raise Problem("signature-unregistered" if self.entries else "log-not-begun")
        return sorted(kept.items())

    @staticmethod
    def claim_of(statement):
        return Claim(statement) if statement.type == ACCREDITATION else None

    # -- admission

    def open(self, body):
        """The entry that these bytes would be, their envelope, and whose signatures were kept."""
        envelope = Envelope(body)
        kept = self.keep_signatures(envelope)
        entry = canonical_entry(envelope.payload, kept)
        if len(entry) > ENTRY_MAX:
            raise Problem("entry-too-large")
        return entry, envelope, [keyid for keyid, _ in kept]

    def admit(self, body):
        """The entry that these bytes become next; Problem if none. The log is left as it is."""
        entry, envelope, keyids = self.open(body)
        first = [self.pairs.get((envelope.pae_hash, keyid)) for keyid in keyids]
        if None not in first:
            raise Problem("entry-known", index=max(first))
        statement = Statement(envelope.payload)
        self.judge(envelope, statement, keyids)
        return entry, envelope, statement, keyids

    def judge(self, envelope, statement, keyids):
        index = len(self.entries)
        if index == 0 and statement.type != ACCREDITATION:
            raise Problem("log-not-begun")
        claim, fault = None, None
        try:
            claim = self.claim_of(statement)
            if statement.type in CHECKS:
                CHECKS[statement.type](statement)
        except Problem as problem:
            fault = problem
        if index != 0:
            for keyid in keyids:
                if claim is None or keyid != claim.key.id:
                    self.judge_signer(envelope, statement, keyid)
        if fault:
            raise fault
        if claim:
            self.judge_accreditation(claim, keyids)
        if statement.type == CORRECTION:
            self.judge_correction(statement, keyids)

    def judge_signer(self, envelope, statement, keyid):
        index, key = len(self.entries), self.keys.get(keyid)
        if key is None:
            raise Problem("signature-unregistered")
        if key.allows(index, statement.type):
            return
        if statement.type != ACCREDITATION:
            for at in self.sealed.get((envelope.pae_hash, keyid), [])[:SEALED_CANDIDATES_MAX]:
                if key.allows(at, statement.type):
                    salt = statement.predicate.get("salt")
                    if not isinstance(salt, str) or not re.fullmatch(r"[0-9a-f]{32,}", salt):
                        raise Problem("sealed-salt")
                    return
        status = key.at(index)[2]
        raise Problem({"suspended": "signer-suspended", "ended": "signer-ended"}.get(
            status, "signer-not-accredited"))

    def judge_accreditation(self, claim, keyids):
        if claim.log != self.origin:
            raise Problem("accreditation-log", claim.log)
        if not self.entries:
            self.judge_entry_zero(claim, keyids)
            return
        centre, recovery = self.current("centre"), self.current("recovery")
        if not (recovery and recovery.key.id in keyids):
            if claim.role == "recovery":
                raise Problem("accreditation-recovery-only")
            if not (centre and centre.key.id in keyids):
                raise Problem("accreditation-centre")
        if claim.recovery:
            raise Problem("accreditation-recovery")
        if claim.previous is not None and claim.previous[0] >= len(self.entries):
            raise Problem("accreditation-previous-stale")
        known = self.keys.get(claim.key.id)
        if known is None:
            self.judge_new_key(claim, keyids)
        else:
            self.judge_known_key(claim, known)

    def judge_entry_zero(self, claim, keyids):
        if claim.role != "centre" or claim.status != "granted" or claim.previous is not None:
            raise Problem("accreditation-entry-zero")
        if claim.rules is None:
            raise Problem("accreditation-rules")
        if claim.recovery is None:
            raise Problem("accreditation-recovery")
        if self.centre not in (None, claim.key.spki):
            raise Problem("accreditation-entry-zero")
        if not {claim.key.id, claim.recovery.id} <= set(keyids):
            raise Problem("accreditation-possession")

    def judge_new_key(self, claim, keyids):
        if self.gaps and claim.previous is not None and claim.role not in ("centre", "recovery"):
            return
        if claim.status != "granted":
            raise Problem("accreditation-first-status")
        if claim.previous is not None:
            raise Problem("accreditation-previous-stale")
        owner = next(iter(self.keys.values())).party
        if claim.role in ("centre", "recovery") and claim.party != owner:
            raise Problem("accreditation-centre-party")
        if claim.key.id not in keyids:
            raise Problem("accreditation-possession")

    def judge_known_key(self, claim, known):
        if claim.party != known.party:
            raise Problem("accreditation-key-party")
        if claim.role != known.role:
            raise Problem("accreditation-key-role")
        if claim.scheme != known.scheme:
            raise Problem("accreditation-key-scheme")
        newest = known.history[-1]
        if newest[2] == "ended":
            raise Problem("accreditation-ended")
        if self.gaps and claim.previous is not None and claim.previous[0] > newest[0]:
            return
        if claim.previous != newest[:2]:
            raise Problem("accreditation-previous-stale")

    def judge_correction(self, statement, keyids):
        target = self.named(statement.predicate["target"], "target")
        index = len(self.entries)
        parties = {self.keys[keyid].party for keyid in self.signers[target]}
        centre = self.current("centre")
        for keyid in keyids:
            key = self.keys[keyid]
            a = key.at(index)
            if a and a[2] == "granted" and (key is centre or key.party in parties):
                break
        else:
            raise Problem("correction-party")
        if statement.predicate.get("replacement") is not None:
            self.named(statement.predicate["replacement"], "replacement")

    def named(self, ref, path):
        index, leaf = entry_ref(ref, "correction-target", path)
        if index >= len(self.entries):
            raise Problem("correction-target-index")
        if self.leaves[index] != leaf:
            raise Problem("correction-target-leaf")
        if self.statements[index].type == ACCREDITATION:
            raise Problem("correction-registry")
        return index

    # -- for whom entries stand

    def standing(self, index):
        """The parties for whom the entry stands: signers that no correction which counts speaks for.

        A correction counts for a party if that party, or the centre, signed it and the
        correction stands for that signer. Written as the definition reads, from the entry forward.
        """
        signers = self.parties_of(index)
        ended = set()
        for later in range(index + 1, len(self.entries)):
            s = self.statements[later]
            if s is None or s.type != CORRECTION:
                continue
            if entry_ref(s.predicate["target"], "", "") != (index, self.leaves[index]):
                continue
            standing = self.standing(later)
            if any(self.keys[k].role == "centre" and self.keys[k].party in standing
                   for k in self.signers[later]):
                ended |= signers
            ended |= standing & signers
        return signers - ended

    def parties_of(self, index):
        return {self.keys[keyid].party for keyid in self.signers[index]}

    # -- taking an entry in

    def replay(self, entry):
        """Take in the next entry of a log, if admission would have made exactly it."""
        try:
            made, envelope, keyids = self.open(entry)
        except Problem as problem:
            # What a submission may still become, an entry must be.
            if problem.slug.startswith(("body-", "envelope-")):
                raise Problem("entry-not-canonical", str(problem)) from problem
            if problem.slug == "signature-unregistered":
                raise Problem("entry-signature", str(problem)) from problem
            if problem.slug == "log-not-begun" and self.centre:
                raise Problem("accreditation-entry-zero", "not signed by the centre") from problem
            raise
        if sorted(keyid for keyid, _ in envelope.signatures) != keyids:
            raise Problem("entry-signature", "not by the keys that it names")
        if made != entry:
            raise Problem("entry-not-canonical")
        self.take(*self.admit(entry))

    def pass_over(self, entry):
        """An entry that is in the log and was not admissible: it has an index, and means nothing."""
        self.entries.append(entry)
        self.leaves.append(None)
        self.statements.append(None)
        self.signers.append([])

    def take(self, entry, envelope, statement, keyids):
        index, leaf = len(self.entries), hashlib.sha256(b"\0" + entry).hexdigest()
        if statement.type == ACCREDITATION:
            self.register(Claim(statement), index, leaf)
        self.entries.append(entry)
        self.leaves.append(leaf)
        self.statements.append(statement)
        self.signers.append(keyids)
        for keyid in keyids:
            self.pairs.setdefault((envelope.pae_hash, keyid), index)
            if statement.type == SEALED:
                self.sealed.setdefault((statement.digests[0][1], keyid), []).append(index)

    def register(self, claim, index, leaf):
        known = self.keys.get(claim.key.id)
        if known is None:
            # A new centre or recovery key ends the one before it, at the same index.
            for key in self.keys.values():
                if (claim.role in ("centre", "recovery") and key.role == claim.role and
                        key.history[-1][2] != "ended"):
                    key.history.append((index, leaf, "ended", []))
                    break
            known = Registered(claim.key, claim.scheme, claim.party, claim.role)
            self.keys[claim.key.id] = known
            if claim.recovery:
                recovery = Registered(claim.recovery, claim.recovery_scheme, claim.party, "recovery")
                recovery.history.append((index, leaf, "granted", [ACCREDITATION]))
                self.keys[claim.recovery.id] = recovery
        known.history.append((index, leaf, claim.status, claim.types))


def verify_extra(origin, centre, extra, index, included):
    """The extra line of the entry at `index` (its bytes): the entry, judged by what the file has.

    included(index, entry, proof) tells whether an entry is in the log. Problem if it does not hold.
    """
    value = parse_json(extra, "extra-shape")
    log, last = Log(origin, centre, gaps=True), -1
    for support in value["support"]:
        entry, at = compact(support["entry"]), support["index"]
        if not last < at < index or not included(at, entry, [decode_base64(h, False) for h in support["proof"]]):
            raise Problem("extra-support", "entry %d" % at)
        while len(log.entries) < at:
            log.pass_over(b"")
        log.replay(entry)
        last = at
    if last < 0 < index:
        raise Problem("extra-support", "entry 0 is not in the file")
    while len(log.entries) < index:
        log.pass_over(b"")
    log.replay(compact(value["entry"]))
    return log.entries[-1]


def compact(entry):
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode()
