"""The admission rules v1, written from docs/records.md alone.

Log.judge(body) gives the verdict on a POSTed envelope, Log.admit(body) also appends it.
support_set(log, index) says which entries a proof's extra line must carry.
judge_extra(...) decides whether an extra line holds.
"""
import base64
import calendar
import functools
import hashlib
import json
import re
from fractions import Fraction

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

PAYLOAD_TYPE = "application/vnd.in-toto+json"
RULES = "urn:vitrine:admission-rules:v1"
ACCREDITATION = "urn:vitrine:predicate:accreditation:v1"
AUDIT = "urn:vitrine:predicate:audit-event:v1"
SEALED = "urn:vitrine:predicate:sealed-record:v1"
CORRECTION = "urn:vitrine:predicate:correction:v1"
TEST = "https://in-toto.io/attestation/test-result/v0.1"
RELEASE1 = "https://in-toto.io/attestation/release/v0.1"
RELEASE2 = "https://in-toto.io/attestation/release/v0.2"

MAX_BODY = 256 * 1024
MAX_ENTRY = 65535
MAX_DEPTH = 32
MAX_TRIALS = 64
MAX_NUMBER = 2 ** 53 - 1

STRONG = {"sha256": 64, "sha384": 96, "sha512": 128, "sha512_256": 64, "sha3_256": 64,
          "sha3_384": 96, "sha3_512": 128, "gitCommit": 64, "gitTree": 64, "gitBlob": 64,
          "gitTag": 64, "hmac_sha256": 64}
GIT = ("gitCommit", "gitTree", "gitBlob", "gitTag")
RD_STRINGS = ("name", "uri", "downloadLocation", "mediaType")
RD_NAMES = RD_STRINGS + ("digest", "content", "annotations")
SPECIAL = ("centre", "recovery")


class Refused(Exception):
    def __init__(self, name, detail=""):
        super().__init__(f"{name}: {detail}")
        self.name, self.detail = name, detail


class Known(Exception):
    """The record is in the log already, at this index."""

    def __init__(self, index):
        super().__init__(index)
        self.index = index


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def pae(payload):
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


# I-JSON

class _BadJson(Exception):
    pass


class _TooDeep(Exception):
    pass


def _number(text):
    value = float(text)
    if not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise _BadJson("number out of range")
    return value


def _integer(text):
    _number(text)
    return int(text)


def _constant(text):
    raise _BadJson(text)


def _pairs(pairs):
    out = {}
    for name, value in pairs:
        if name in out:
            raise _BadJson("duplicate member")
        if "\0" in name:
            raise _BadJson("NUL in a member's name")
        _check_text(name)
        out[name] = value
    return out


def _check_text(text):
    for c in text:
        n = ord(c)
        if 0xD800 <= n <= 0xDFFF or 0xFDD0 <= n <= 0xFDEF or n & 0xFFFE == 0xFFFE:
            raise _BadJson("surrogate or noncharacter")


def _check_texts(value):
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, list):
        for v in value:
            _check_texts(v)
    elif isinstance(value, dict):
        for v in value.values():
            _check_texts(v)


def _depth(text):
    """The deepest nesting of arrays and objects, strings left aside."""
    deepest = depth = 0
    for c in re.sub(r'"(?:[^"\\]|\\.)*"', "", text, flags=re.S):
        if c in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif c in "]}":
            depth -= 1
    return deepest


def parse_ijson(data):
    try:
        text = data.decode("utf-8")
        if text.startswith("\ufeff"):
            raise _BadJson("byte order mark")
        if _depth(text) > MAX_DEPTH:
            raise _TooDeep()
        value = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_number, parse_int=_integer,
                                 parse_constant=_constant).decode(text)
        _check_texts(value)
        return value
    except (UnicodeDecodeError, ValueError) as e:
        raise _BadJson(str(e))


# Small forms

def get(obj, name):
    """A member that the page lists: null counts as absent."""
    return obj.get(name)


def from_base64(text):
    """Standard or URL-safe, padded or not; None if malformed."""
    if re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", text):
        body, alt = text.rstrip("="), None
    elif re.fullmatch(r"[A-Za-z0-9_-]*={0,2}", text):
        body, alt = text.rstrip("="), b"-_"
    else:
        return None
    pads = len(text) - len(body)
    need = -len(body) % 4
    if need == 3 or pads not in (0, need):
        return None
    data = base64.b64decode(body + "=" * need, altchars=alt)
    if base64.b64encode(data, altchars=alt).decode().rstrip("=") != body:
        return None  # unused bits are not zero
    return data


def to_base64(data):
    return base64.b64encode(data).decode()


def is_text(v, most=4096):
    return isinstance(v, str) and 1 <= len(v.encode()) <= most and "\0" not in v


def is_list(v, most=10000):
    return isinstance(v, list) and len(v) <= most


def is_texts(v, most=10000, size=4096):
    return is_list(v, most) and all(is_text(t, size) for t in v)


def is_uri(v):
    return (isinstance(v, str) and len(v) <= 255 and
            re.fullmatch(r"[a-z][a-z0-9+.-]*:[!-~]+", v) is not None and
            not re.search(r'["<>\\^`{|}]', v))


def is_hex(v, digits):
    return isinstance(v, str) and re.fullmatch(r"[0-9a-f]{%d}" % digits, v) is not None


def is_integer(v):
    return isinstance(v, int) and not isinstance(v, bool)


_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
                   r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))")


def _days(year, month, day):
    """Days since 0000-03-01 in the proleptic Gregorian calendar."""
    y, m = (year, month - 3) if month > 2 else (year - 1, month + 9)
    return 365 * y + y // 4 - y // 100 + y // 400 + (153 * m + 2) // 5 + day - 1


def _month_length(year, month):
    if month == 2:
        return 29 if calendar.isleap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def parse_time(v):
    """A comparable (seconds, decimals), or None if it is no time."""
    m = _TIME.fullmatch(v) if isinstance(v, str) and len(v) <= 4096 else None
    if not m:
        return None
    year, month, day, hour, minute, second = (int(g) for g in m.groups()[:6])
    off = 0
    if m[8]:
        if int(m[9]) > 23 or int(m[10]) > 59:
            return None
        off = (int(m[9]) * 60 + int(m[10])) * (1 if m[8] == "+" else -1)
    if not 1 <= month <= 12 or not 1 <= day <= _month_length(year, month):
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    minutes = (_days(year, month, day) * 24 + hour) * 60 + minute - off
    if second == 60:
        # The next minute in UTC must begin a month.
        day_after, rest = divmod(minutes + 1, 1440)
        near = [(year + (month + k) // 12, (month + k) % 12 + 1) for k in (-2, -1, 0, 1)]
        if rest or day_after not in [_days(y, mo, 1) for y, mo in near]:
            return None
    return (minutes * 60 + second, (m[7] or "").rstrip("0"))


def fold(name):
    """Unicode's simple folding, as far as it can meet an ASCII name."""
    return "".join("s" if c == "\u017f" else "k" if c == "\u212a" else
                   c.lower() if c.isascii() else c for c in name)


def check_case(obj, names):
    listed = {fold(n) for n in names}
    for n in obj:
        if n not in names and fold(n) in listed:
            raise Refused("statement-member-case", n)


# Keys and signatures

_P = 2 ** 255 - 19
_D = -121665 * pow(121666, _P - 2, _P) % _P


def _ed_add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = _D * x1 * x2 * y1 * y2 % _P
    return ((x1 * y2 + x2 * y1) * pow(1 + k, _P - 2, _P) % _P,
            (y1 * y2 + x1 * x2) * pow(1 - k, _P - 2, _P) % _P)


def _ed_point_ok(raw):
    """A canonically encoded point on the curve, not of small order."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2 ** 255 - 1)
    if y >= _P:
        return False
    xx = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(xx, (_P + 3) // 8, _P)
    if (x * x - xx) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - xx) % _P or (x == 0 and sign):
        return False
    p = (x, y)
    for _ in range(3):
        p = _ed_add(p, p)
    return p != (0, 1)


SCHEMES = {"ed25519": ("ed25519", None), "ecdsa-p256-sha256": ("p256", hashes.SHA256()),
           "ecdsa-p384-sha384": ("p384", hashes.SHA384())}
for _bits, _hash in ((256, hashes.SHA256()), (384, hashes.SHA384()), (512, hashes.SHA512())):
    SCHEMES[f"rsa-pss-sha{_bits}"] = ("rsa", _hash)
    SCHEMES[f"rsa-pkcs1-sha{_bits}"] = ("rsa", _hash)


class Key:
    """A public key with its scheme."""

    def __init__(self, der, scheme=None):
        try:
            key = serialization.load_der_public_key(der)
        except Exception as e:
            raise Refused("accreditation-key", str(e))
        if isinstance(key, ed25519.Ed25519PublicKey):
            self.kind = "ed25519"
            if not _ed_point_ok(key.public_bytes_raw()):
                raise Refused("accreditation-key", "Ed25519 point")
        elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1"):
            self.kind = "p256" if key.curve.name == "secp256r1" else "p384"
        elif isinstance(key, rsa.RSAPublicKey) and 3072 <= key.key_size <= 4096:
            self.kind = "rsa"
        else:
            raise Refused("accreditation-key", "kind")
        if key.public_bytes(serialization.Encoding.DER,
                            serialization.PublicFormat.SubjectPublicKeyInfo) != der:
            raise Refused("accreditation-key", "not canonical DER")
        self.key, self.der = key, der
        self.keyid = hashlib.sha256(der).hexdigest()
        if scheme is not None:
            if not isinstance(scheme, str) or SCHEMES.get(scheme, (None,))[0] != self.kind:
                raise Refused("accreditation-scheme", str(scheme))
        self.scheme = scheme

    def size(self):
        return {"p256": 32, "p384": 48}.get(self.kind)

    def looks_like(self, sig):
        if self.kind == "ed25519":
            return len(sig) == 64
        if self.kind == "rsa":
            return len(sig) == (self.key.key_size + 7) // 8
        return len(sig) == 2 * self.size() or _strict_der(sig, self.size())

    @functools.lru_cache(65536)
    def verify(self, message, sig):
        """The signature as the log keeps it, or None."""
        if not self.looks_like(sig):
            return None
        if self.kind in ("p256", "p384"):
            forms = [sig] if _strict_der(sig, self.size()) else []
            if len(sig) == 2 * self.size():
                half = self.size()
                forms.append(encode_dss_signature(int.from_bytes(sig[:half], "big"),
                                                  int.from_bytes(sig[half:], "big")))
        else:
            forms = [sig]
        for form in forms:
            try:
                self._verify(message, form)
                return form
            except InvalidSignature:
                pass
        return None

    def _verify(self, message, sig):
        algorithm = SCHEMES[self.scheme][1]
        if self.kind == "ed25519":
            self.key.verify(sig, message)
        elif self.kind == "rsa":
            if "pss" in self.scheme:
                pad = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
            else:
                pad = padding.PKCS1v15()
            self.key.verify(sig, message, pad, algorithm)
        else:
            self.key.verify(sig, message, ec.ECDSA(algorithm))


def _strict_der(sig, size):
    """SEQUENCE of two minimal positive INTEGERs and nothing else."""
    def integer(at):
        if sig[at] != 2 or sig[at + 1] >= 128:
            raise ValueError
        body = sig[at + 2:at + 2 + sig[at + 1]]
        if len(body) != sig[at + 1] or not body or body[0] & 0x80:
            raise ValueError
        if len(body) > 1 and body[0] == 0 and not body[1] & 0x80:
            raise ValueError
        if len(body.lstrip(b"\0")) > size:
            raise ValueError
        return at + 2 + sig[at + 1]
    try:
        if sig[0] != 0x30 or sig[1] >= 128 or sig[1] != len(sig) - 2:
            return False
        return integer(integer(2)) == len(sig)
    except (IndexError, ValueError):
        return False


@functools.lru_cache(4096)
def load_key(spki, scheme):
    """The key of an accreditation or of its recovery member."""
    if not re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", spki):
        raise Refused("accreditation-key", "spki")
    der = from_base64(spki)
    if der is None or to_base64(der) != spki:
        raise Refused("accreditation-key", "spki base64")
    return Key(der, scheme)


def named_key(members):
    """The key that an object names by spki and scheme."""
    spki, scheme = get(members, "spki"), get(members, "scheme")
    if not isinstance(spki, str):
        raise Refused("accreditation-key", "spki")
    if not isinstance(scheme, str):
        raise Refused("accreditation-scheme", "scheme")
    return load_key(spki, scheme)


# The envelope

class Envelope:
    def __init__(self, body):
        if len(body) > MAX_BODY:
            raise Refused("body-too-large")
        try:
            value = parse_ijson(body)
        except _TooDeep:
            raise Refused("body-depth")
        except _BadJson as e:
            raise Refused("body-not-json", str(e))
        if not isinstance(value, dict):
            raise Refused("envelope-shape", "not an object")
        kind, payload, sigs = (get(value, n) for n in ("payloadType", "payload", "signatures"))
        if not isinstance(kind, str) or not isinstance(payload, str) or not isinstance(sigs, list):
            raise Refused("envelope-shape", "members")
        for s in sigs:
            if not isinstance(s, dict) or not isinstance(get(s, "sig"), str):
                raise Refused("envelope-shape", "signature")
            if get(s, "keyid") is not None and not isinstance(s["keyid"], str):
                raise Refused("envelope-shape", "keyid")
        if kind != PAYLOAD_TYPE:
            raise Refused("envelope-payload-type")
        self.payload = from_base64(payload)
        self.signatures = [(get(s, "keyid"), from_base64(s["sig"])) for s in sigs]
        if self.payload is None or any(s is None for _, s in self.signatures):
            raise Refused("envelope-base64")
        if not 1 <= len(sigs) <= 16:
            raise Refused("envelope-signature-count")


def canonical_entry(payload, verified):
    """verified: keyid -> signature as kept."""
    sigs = ",".join('{"keyid":"%s","sig":"%s"}' % (k, to_base64(s)) for k, s in sorted(verified.items()))
    text = '{"payload":"%s","payloadType":"%s","signatures":[%s]}' % (to_base64(payload), PAYLOAD_TYPE, sigs)
    return text.encode()


# The statement

def check_digest(digest, strong_needed, name):
    """The strong digests of a digest object."""
    if not isinstance(digest, dict):
        raise Refused(name, "digest is no object")
    check_case(digest, STRONG)
    strong = {}
    for alg, v in digest.items():
        if alg in STRONG:
            if alg in GIT and is_hex(v, 40):
                continue
            if not is_hex(v, STRONG[alg]):
                raise Refused(name, alg)
            strong[alg] = v
        elif not isinstance(v, str):
            raise Refused(name, alg)
    if strong_needed and not strong:
        raise Refused("statement-digest-missing" if name.startswith("statement") else name, "no strong digest")
    return strong


def check_descriptor(rd, name, strong=False):
    if not isinstance(rd, dict):
        raise Refused(name, "no ResourceDescriptor")
    check_case(rd, RD_NAMES)
    if all(get(rd, n) is None for n in ("uri", "digest", "content")):
        raise Refused(name, "ResourceDescriptor is empty")
    for n in RD_STRINGS + ("content",):
        if get(rd, n) is not None and not isinstance(rd[n], str):
            raise Refused(name, n)
    if get(rd, "digest") is not None:
        check_digest(rd["digest"], strong, name)
    elif strong:
        raise Refused(name, "no digest")


class Statement:
    def __init__(self, payload):
        try:
            value = parse_ijson(payload)
        except (_BadJson, _TooDeep) as e:
            raise Refused("payload-not-json", str(e))
        if not isinstance(value, dict):
            raise Refused("statement-shape", "not an object")
        check_case(value, ("_type", "subject", "predicateType", "predicate"))
        if not isinstance(get(value, "_type"), str):
            raise Refused("statement-shape", "_type")
        if value["_type"] not in ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"):
            raise Refused("statement-type")
        subjects = get(value, "subject")
        if not isinstance(subjects, list):
            raise Refused("statement-shape", "subject")
        if not 1 <= len(subjects) <= 64:
            raise Refused("statement-subject-count")
        self.digests = [self._subject(s) for s in subjects]
        if sum(len(d) for d in self.digests) > 192:
            raise Refused("statement-digest-count")
        if not is_uri(get(value, "predicateType")):
            raise Refused("statement-predicate-type")
        self.type = value["predicateType"]
        self.predicate = get(value, "predicate")
        if self.predicate is None:
            self.predicate = {}
        if not isinstance(self.predicate, dict):
            raise Refused("statement-shape", "predicate")

    @staticmethod
    def _subject(s):
        if not isinstance(s, dict):
            raise Refused("statement-subject-shape")
        check_case(s, RD_NAMES)
        for n in RD_STRINGS:
            if get(s, n) is not None and not isinstance(s[n], str):
                raise Refused("statement-subject-shape", n)
        if get(s, "digest") is None:
            raise Refused("statement-subject-shape", "no digest")
        return check_digest(s["digest"], True, "statement-digest-form")

    def only_sha256(self):
        """The one subject's digest, if sha256 is its only strong one."""
        if len(self.digests) == 1 and list(self.digests[0]) == ["sha256"]:
            return self.digests[0]["sha256"]
        return None


# The predicates

def check_test(p):
    check_case(p, ("result", "configuration", "url", "passedTests", "warnedTests", "failedTests",
                   "assessment", "salt"))
    if get(p, "result") not in ("PASSED", "WARNED", "FAILED"):
        raise Refused("test-result-result")
    if not is_list(get(p, "configuration")):
        raise Refused("test-result-configuration")
    for rd in p["configuration"]:
        check_descriptor(rd, "test-result-configuration")
    if get(p, "url") is not None and not is_text(p["url"]):
        raise Refused("test-result-tests", "url")
    for n in ("passedTests", "warnedTests", "failedTests"):
        if get(p, n) is not None and not is_texts(p[n]):
            raise Refused("test-result-tests", n)
    if get(p, "assessment") is not None:
        check_assessment(p["assessment"])


def check_assessment(a):
    bad = "test-result-assessment"
    if not isinstance(a, dict):
        raise Refused(bad)
    check_case(a, ("laboratory", "reportId", "scheme", "dates", "decisionRule", "deviations", "report"))
    lab, dates = get(a, "laboratory"), get(a, "dates")
    if not isinstance(lab, dict) or not isinstance(dates, dict):
        raise Refused(bad, "laboratory or dates")
    check_case(lab, ("name", "location", "accreditation"))
    check_case(dates, ("received", "started", "completed", "issued"))
    if not is_text(get(lab, "name")):
        raise Refused(bad, "laboratory.name")
    for n in ("location", "accreditation"):
        if get(lab, n) is not None and not is_text(lab[n]):
            raise Refused(bad, "laboratory." + n)
    for n in ("reportId", "scheme", "decisionRule"):
        if not is_text(get(a, n)):
            raise Refused(bad, n)
    times = {n: parse_time(get(dates, n)) for n in ("started", "completed", "issued")}
    if None in times.values() or times["completed"] < times["started"]:
        raise Refused(bad, "dates")
    if get(dates, "received") is not None and parse_time(dates["received"]) is None:
        raise Refused(bad, "dates.received")
    if not is_texts(get(a, "deviations")):
        raise Refused(bad, "deviations")
    check_descriptor(get(a, "report"), bad, strong=True)


def is_purl(v):
    if not is_uri(v) or not v.startswith("pkg:"):
        return False
    rest = re.split(r"[?#]", v[4:].lstrip("/"), maxsplit=1)[0]
    if not re.match(r"[A-Za-z][A-Za-z0-9.+-]*/", rest):
        return False
    name, at, version = rest[rest.rfind("/") + 1:].rpartition("@")
    return bool(name and at and version)


def check_release(p, kind):
    ident = "releaseId" if kind == RELEASE1 else "packageId"
    check_case(p, ("purl", ident, "firmware", "salt"))
    if not is_purl(get(p, "purl")):
        raise Refused("release-purl")
    if get(p, ident) is not None and not is_text(p[ident]):
        raise Refused("release-package-id")
    f = get(p, "firmware")
    if f is None:
        return
    bad = "release-firmware"
    if not isinstance(f, dict):
        raise Refused(bad)
    check_case(f, ("vendor", "model", "version", "hardwareRevisions", "suit"))
    for n in ("vendor", "model", "version"):
        if not is_text(get(f, n)):
            raise Refused(bad, n)
    if get(f, "hardwareRevisions") is not None and not is_texts(f["hardwareRevisions"]):
        raise Refused(bad, "hardwareRevisions")
    if get(f, "suit") is not None:
        check_descriptor(f["suit"], bad, strong=True)


def check_audit(p):
    check_case(p, ("id", "action", "eventType", "outcome", "eventTime", "reason", "initiator", "target",
                   "observer", "initiatorId", "targetId", "observerId", "attachments", "salt"))
    if not is_text(get(p, "id")) or not is_text(get(p, "action")):
        raise Refused("audit-event-shape")
    if get(p, "eventType") not in ("activity", "monitor", "control"):
        raise Refused("audit-event-type")
    outcome = get(p, "outcome")
    if not is_text(outcome) or not re.fullmatch(r"(success|failure|unknown|pending)(/.+)?", outcome, re.S):
        raise Refused("audit-event-outcome")
    if parse_time(get(p, "eventTime")) is None:
        raise Refused("audit-event-time")
    for n in ("initiator", "target", "observer"):
        r = get(p, n)
        if r is None:
            if not is_text(get(p, n + "Id")):
                raise Refused("audit-event-resource", n)
            continue
        if not isinstance(r, dict):
            raise Refused("audit-event-resource", n)
        check_case(r, ("id", "typeURI", "name"))
        if not is_text(get(r, "id")) or not is_text(get(r, "typeURI")):
            raise Refused("audit-event-resource", n)
        if get(r, "name") is not None and not is_text(r["name"]):
            raise Refused("audit-event-resource", n)
    if p["eventType"] == "control" and not isinstance(get(p, "reason"), dict):
        raise Refused("audit-event-reason")
    if get(p, "attachments") is not None:
        check_attachments(p["attachments"])


def check_attachments(items):
    bad = "audit-event-attachment"
    if not is_list(items):
        raise Refused(bad)
    for a in items:
        if not isinstance(a, dict):
            raise Refused(bad)
        check_case(a, ("digest", "content"))
        if get(a, "digest") is not None:
            check_digest(a["digest"], True, bad)
        elif get(a, "content") is None:
            raise Refused(bad, "neither digest nor content")


def check_sealed(s):
    check_case(s.predicate, ("embargoUntil", "reason", "salt"))
    if s.only_sha256() is None:
        raise Refused("sealed-subject")
    until = get(s.predicate, "embargoUntil")
    if until is not None and parse_time(until) is None:
        raise Refused("sealed-members", "embargoUntil")
    if get(s.predicate, "reason") is not None and not is_text(s.predicate["reason"]):
        raise Refused("sealed-members", "reason")


def is_reference(v):
    """{"index": n, "leafHash": hex}"""
    if not isinstance(v, dict):
        return False
    check_case(v, ("index", "leafHash"))
    return is_integer(get(v, "index")) and v["index"] >= 0 and is_hex(get(v, "leafHash"), 64)


def has_salt(p):
    return isinstance(p.get("salt"), str) and re.fullmatch(r"[0-9a-f]{32,}", p["salt"]) is not None


class Accreditation:
    """The form of an accreditation, checked as far as it needs no state."""

    def __init__(self, s, origin, first):
        p = s.predicate
        check_case(p, ("log", "party", "role", "spki", "scheme", "keyidAliases", "predicateTypes", "status",
                       "previous", "validUntil", "admissionRules", "recovery"))
        if not isinstance(get(p, "log"), str) or (origin is not None and p["log"] != origin):
            raise Refused("accreditation-log")
        self.log = p["log"]
        self.party, self.role = (self._name(p, n) for n in ("party", "role"))
        self.key = named_key(p)
        if s.only_sha256() != self.key.keyid:
            raise Refused("accreditation-subject")
        self.aliases = get(p, "keyidAliases")
        if self.aliases is None:
            self.aliases = []
        if not is_texts(self.aliases, 8, 255):
            raise Refused("accreditation-aliases")
        self.status = get(p, "status")
        if self.status not in ("granted", "suspended", "ended"):
            raise Refused("accreditation-status")
        if self.role == "recovery" and self.status == "suspended":
            raise Refused("accreditation-status")
        self.types = self._types(get(p, "predicateTypes"))
        until = get(p, "validUntil")
        if until is not None and parse_time(until) is None:
            raise Refused("accreditation-valid-until")
        rules = get(p, "admissionRules")
        if (rules is None and first) or (rules is not None and (rules != RULES or self.role != "centre")):
            raise Refused("accreditation-rules")
        self.recovery = None
        recovery = get(p, "recovery")
        if (recovery is not None) != first:
            raise Refused("accreditation-recovery")
        if first:
            self.recovery = self._recovery(recovery)
        if "previous" not in p or (p["previous"] is not None and not is_reference(p["previous"])):
            raise Refused("accreditation-previous")
        self.previous = p["previous"]

    @staticmethod
    def _name(p, n):
        v = get(p, n)
        if not isinstance(v, str) or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", v):
            raise Refused("accreditation-" + n)
        return v

    def _types(self, types):
        bad = "accreditation-predicate-types"
        if types is None:
            types = []
        if not is_list(types, 32) or not all(is_uri(t) for t in types) or len(set(types)) != len(types):
            raise Refused(bad)
        if self.status == "granted" and not types:
            raise Refused(bad)
        if ACCREDITATION in types and self.role not in SPECIAL:
            raise Refused(bad)
        if self.role in SPECIAL and types and ACCREDITATION not in types:
            raise Refused(bad)
        if self.role == "recovery" and self.status == "granted" and types != [ACCREDITATION]:
            raise Refused(bad)
        return types

    def _recovery(self, r):
        if not isinstance(r, dict):
            raise Refused("accreditation-recovery")
        check_case(r, ("spki", "scheme"))
        try:
            key = named_key(r)
        except Refused as e:
            raise Refused("accreditation-recovery", e.name)
        if key.keyid == self.key.keyid:
            raise Refused("accreditation-recovery", "the centre's own key")
        return key


# The registry and the log

class Registered:
    """What the log knows about one key."""

    def __init__(self, key, party, role):
        self.key, self.party, self.role = key, party, role
        self.history = []  # (index, leaf hash, status, types, aliases), oldest first
        self.ended_at = None  # the index at which a new centre or recovery key ended this one

    def at(self, index):
        """(index of the accreditation, status, types) in force for an entry at this index."""
        found = None
        for h in self.history:
            if h[0] < index:
                found = h
        if found is None:
            return None
        ended = self.ended_at is not None and self.ended_at < index
        return found[0], "ended" if ended else found[2], found[3]

    def now(self):
        return self.at(float("inf"))


class Entry:
    def __init__(self, index, data, payload, signers, statement, accreditation):
        self.index, self.data, self.payload = index, data, payload
        self.signers, self.statement, self.accreditation = signers, statement, accreditation
        self.leaf = leaf_hash(data)
        self.reveals = {}  # signer -> index of the sealed record that carries it


class Verdict:
    """admitted (with entry bytes), known (with index) or refused (with the problem's name)."""

    def __init__(self, kind, name="", detail="", entry=None, index=None):
        self.kind, self.name, self.detail, self.entry, self.index = kind, name, detail, entry, index

    def __repr__(self):
        return f"{self.kind} {self.name} {self.detail}".strip()


class Search:
    """Whose signatures these are: keys tried on signatures, at most 64 times."""

    def __init__(self, message, signatures):
        self.message, self.signatures = message, [sig for _, sig in signatures]
        self.verified, self.done, self.tried, self.most = {}, set(), set(), MAX_TRIALS

    def one(self, place, key):
        sig = self.signatures[place]
        if place in self.done or not key.looks_like(sig) or (sig, key.keyid) in self.tried:
            return
        if len(self.tried) == self.most:
            raise Refused("signature-trials")
        self.tried.add((sig, key.keyid))
        kept = key.verify(self.message, sig)
        if kept is not None:
            self.done.add(place)
            self.verified.setdefault(key.keyid, kept)

    def all(self, keys):
        for place in range(len(self.signatures)):
            for key in keys:
                self.one(place, key)

    def drop_copies(self):
        """One stands for all, once their hints were looked at."""
        for place, sig in enumerate(self.signatures):
            others = [p for p, s in enumerate(self.signatures) if s == sig and p != place]
            if any(p < place or p in self.done for p in others):
                self.done.add(place)


class Log:
    """The entries of a log in order. With partial=True some are missing: a proof's replay."""

    def __init__(self, origin=None, partial=False):
        self.origin, self.partial = origin, partial
        self.entries = {}
        self.keys = {}
        self.centre = self.recovery = None
        self.by_payload = {}
        self.seals = {}  # (signer, sealed digest) -> indexes

    @property
    def size(self):
        return max(self.entries) + 1 if self.entries else 0

    def judge(self, body, key=None):
        try:
            entry = self._judge(body, key, self.size)
            return Verdict("admitted", entry=entry, index=entry.index)
        except Known as k:
            return Verdict("known", index=k.index)
        except Refused as r:
            return Verdict("refused", r.name, r.detail)

    def admit(self, body, key=None):
        v = self.judge(body, key)
        if v.kind == "admitted":
            self._append(v.entry)
        return v

    def append_entry(self, data, index=None):
        """Replay of an entry that a log holds."""
        index = self.size if index is None else index
        try:
            entry = self._judge(data, None, index)
        except Known:
            raise Refused("entry-known")
        if entry.data != data:
            raise Refused("entry-not-canonical")
        self._append(entry)
        return entry

    # Signatures

    def _steps(self, search, env, named):
        """Try keys in the page's order."""
        places, keys = range(len(env.signatures)), list(self.keys.values())
        if named is not None:
            search.all([self.keys[named].key])
            self._try_its_own(search, env)
            return
        for place in places:
            hint = env.signatures[place][0]
            if hint in self.keys:
                search.one(place, self.keys[hint].key)
            for k in keys:
                if hint is not None and hint in k.history[-1][4]:
                    search.one(place, k.key)
        search.drop_copies()
        self._try_its_own(search, env)
        search.all([k.key for k in keys if k.role in SPECIAL])
        self._try_its_own(search, env)
        granted = [k for k in keys if k.role not in SPECIAL and k.now()[1] == "granted"]
        search.all([k.key for k in granted])
        search.all([k.key for k in keys if k.role not in SPECIAL and k not in granted])

    def _try_its_own(self, search, env):
        """The key that an accreditation is about, where the centre's or recovery key has signed."""
        if any(k in self.keys and self.keys[k].role in SPECIAL for k in search.verified):
            own = self._named_key(env.payload)
            search.all([own] if own else [])

    def _signatures(self, env, named):
        """Which keys signed: {keyid: signature as kept}."""
        search = Search(pae(env.payload), env.signatures)
        try:
            self._steps(search, env, named)
        except Refused:
            if named is not None:
                raise
            before = {k for i in self.by_payload.get(env.payload, ()) for k in self.entries[i].signers}
            search.most += 16
            try:
                for k in self.keys:
                    if k in before:
                        search.all([self.keys[k].key])
            except Refused:
                pass
            if not search.verified or not search.verified.keys() <= before:
                raise
        return search.verified

    @staticmethod
    def _named_key(payload):
        """The key that an accreditation is about, if the payload is one."""
        try:
            p = json.loads(payload)
            if p["predicateType"] != ACCREDITATION:
                return None
            return named_key(p["predicate"])
        except Exception:
            return None

    @staticmethod
    def _named_recovery(payload):
        try:
            r = json.loads(payload)["predicate"]["recovery"]
            return named_key(r)
        except Exception:
            return None

    def _judge(self, body, named, index):
        env = Envelope(body)
        if len(canonical_entry(env.payload, {})) > MAX_ENTRY:
            raise Refused("entry-too-large")
        if named is not None and named not in self.keys:
            raise Refused("key-unknown")
        if self.entries:
            verified = self._signatures(env, named)
        else:
            first = Search(pae(env.payload), env.signatures)
            new = [self._named_key(env.payload), self._named_recovery(env.payload)]
            if None in new:
                raise Refused("log-not-begun")
            first.all(new)
            verified = first.verified
        if not verified:
            raise Refused("signature-unregistered" if self.entries else "log-not-begun")
        data = canonical_entry(env.payload, verified)
        if len(data) > MAX_ENTRY:
            raise Refused("entry-too-large")
        self._check_known(env.payload, verified)
        statement = Statement(env.payload)
        entry = Entry(index, data, env.payload, sorted(verified), statement, None)
        if statement.type == ACCREDITATION:
            entry.accreditation = self._check_accreditation(entry)
        else:
            if not self.entries:
                raise Refused("accreditation-type")
            self._check_record(entry)
        return entry

    def _check_known(self, payload, signers):
        firsts = []
        for k in signers:
            found = [i for i in self.by_payload.get(payload, ()) if k in self.entries[i].signers]
            if not found:
                return
            firsts.append(min(found))
        raise Known(max(firsts))

    # Records

    def _check_record(self, entry):
        s = entry.statement
        for k in entry.signers:
            self._check_signer(entry, k)
        if entry.reveals and not has_salt(s.predicate):
            raise Refused("sealed-salt")
        if s.type == TEST:
            check_test(s.predicate)
        elif s.type in (RELEASE1, RELEASE2):
            check_release(s.predicate, s.type)
        elif s.type == AUDIT:
            check_audit(s.predicate)
        elif s.type == SEALED:
            check_sealed(s)
        elif s.type == CORRECTION:
            self._check_correction(entry)

    def _check_signer(self, entry, keyid):
        reg = self.keys[keyid]
        _, status, types = reg.at(entry.index)
        if status == "granted" and entry.statement.type in types and reg.role != "recovery":
            return
        seal = self._seal(entry, keyid)
        if seal is not None:
            entry.reveals[keyid] = seal
            return
        if status == "ended":
            raise Refused("signer-ended", keyid)
        if status == "suspended":
            raise Refused("signer-suspended", keyid)
        raise Refused("signer-not-accredited", keyid)

    def _seal(self, entry, keyid):
        """The first sealed record by this key that carries the record, among the first 16."""
        digest = hashlib.sha256(pae(entry.payload)).hexdigest()
        for i in self.seals.get((keyid, digest), [])[:16]:
            then = self.keys[keyid].at(i)
            if then and then[1] == "granted" and entry.statement.type in then[2]:
                return i
        return None

    def _check_correction(self, entry):
        p, s = entry.statement.predicate, entry.statement
        check_case(p, ("action", "target", "replacement", "reason", "salt"))
        if get(p, "action") not in ("withdraw", "replace"):
            raise Refused("correction-action")
        if not is_text(get(p, "reason")):
            raise Refused("correction-reason")
        target, replacement = get(p, "target"), get(p, "replacement")
        if not is_reference(target):
            raise Refused("correction-target")
        if (replacement is not None) != (p["action"] == "replace"):
            raise Refused("correction-replacement")
        if replacement is not None:
            if not is_reference(replacement) or replacement["index"] == target["index"]:
                raise Refused("correction-replacement")
        if s.only_sha256() != target["leafHash"]:
            raise Refused("correction-subject")
        aim = self._referred(entry, target)
        if replacement is not None:
            self._referred(entry, replacement)
        parties = {self.keys[k].party for k in aim.signers}
        for k in entry.signers:
            reg = self.keys[k]
            if reg.at(entry.index)[1] == "granted" and (reg.party in parties and reg.role != "recovery"
                                                        or k == self.centre):
                return
        raise Refused("correction-party")

    def _referred(self, entry, ref):
        found = self.entries.get(ref["index"])
        if ref["index"] >= entry.index or found is None:
            raise Refused("correction-target-index")
        if found.leaf.hex() != ref["leafHash"]:
            raise Refused("correction-target-leaf")
        if found.accreditation:
            raise Refused("correction-registry")
        return found

    # Accreditations

    def _check_accreditation(self, entry):
        first = entry.index == 0
        signers = set(entry.signers)
        about = None
        if not first:
            named = self._named_key(entry.payload)
            about = named.keyid if named else None
            for k in signers - {about}:
                self._check_signer_of_accreditation(k, entry.index)
        a = Accreditation(entry.statement, self.origin, first)
        if first:
            if a.role != "centre" or a.status != "granted" or a.previous is not None:
                raise Refused("accreditation-entry-zero")
            if signers != {a.key.keyid, a.recovery.keyid}:
                raise Refused("accreditation-possession")
            return a
        centre, recovery = self.centre in signers, self.recovery in signers
        centre = centre and self.keys[self.centre].at(entry.index)[1] == "granted"
        recovery = recovery and self.keys[self.recovery].at(entry.index)[1] == "granted"
        if a.role == "recovery":
            if not recovery:
                raise Refused("accreditation-recovery-only")
        elif not centre and not recovery:
            raise Refused("accreditation-centre")
        if a.role in SPECIAL and a.party != self.entries[0].accreditation.party:
            raise Refused("accreditation-centre-party")
        self._check_history(entry, a, signers)
        return a

    def _check_signer_of_accreditation(self, keyid, index):
        reg = self.keys[keyid]
        _, status, _ = reg.at(index)
        if status == "ended":
            raise Refused("signer-ended", keyid)
        if status == "suspended":
            raise Refused("signer-suspended", keyid)
        if reg.role not in SPECIAL:
            raise Refused("signer-not-accredited", keyid)

    def _check_history(self, entry, a, signers):
        reg = self.keys.get(a.key.keyid)
        if self.partial and self._skips(entry, a, reg):
            if reg is not None:
                self._check_bound(a, reg, entry.index)
            return
        if reg is None:
            if a.key.keyid not in signers:
                raise Refused("accreditation-possession")
            if a.status != "granted":
                raise Refused("accreditation-first-status")
            if a.previous is not None:
                raise Refused("accreditation-previous-stale")
            return
        self._check_bound(a, reg, entry.index)
        newest = reg.history[-1]
        if a.previous != {"index": newest[0], "leafHash": newest[1].hex()}:
            if a.previous is None or {n: a.previous.get(n) for n in ("index", "leafHash")} != \
                    {"index": newest[0], "leafHash": newest[1].hex()}:
                raise Refused("accreditation-previous-stale")

    @staticmethod
    def _check_bound(a, reg, index):
        if reg.at(index)[1] == "ended":
            raise Refused("accreditation-ended")
        if a.party != reg.party:
            raise Refused("accreditation-key-party")
        if a.role != reg.role:
            raise Refused("accreditation-key-role")
        if a.key.scheme != reg.key.scheme:
            raise Refused("accreditation-key-scheme")

    def _skips(self, entry, a, reg):
        """The exception for a proof: previous names an entry that is not carried."""
        if a.previous is None or a.previous["index"] >= entry.index or a.previous["index"] in self.entries:
            return False
        if reg is None:
            return a.role not in SPECIAL
        return a.previous["index"] > reg.history[-1][0]

    # The state

    def _append(self, entry):
        i, a = entry.index, entry.accreditation
        self.entries[i] = entry
        self.by_payload.setdefault(entry.payload, []).append(i)
        if a is not None:
            self._register(i, entry.leaf, a)
        elif entry.statement.type == SEALED:
            for k in entry.signers:
                self.seals.setdefault((k, entry.statement.only_sha256()), []).append(i)

    def _register(self, index, leaf, a):
        if index == 0:
            self.origin = a.log
            r = Registered(a.recovery, a.party, "recovery")
            r.history.append((0, leaf, "granted", [ACCREDITATION], []))
            self.keys[a.recovery.keyid] = r
            self.recovery = a.recovery.keyid
        keyid = a.key.keyid
        reg = self.keys.get(keyid)
        if reg is None:
            reg = self.keys[keyid] = Registered(a.key, a.party, a.role)
            if a.role in SPECIAL:
                old = self.keys.get(getattr(self, a.role))
                if old is not None:
                    old.ended_at = index
                setattr(self, a.role, keyid)
        reg.history.append((index, leaf, a.status, a.types, a.aliases))


# The extra line

def needs(log, index):
    """What one entry's admission depended on directly."""
    entry = log.entries[index]
    out = set()
    a = entry.accreditation
    for k in entry.signers:
        if a is not None and (k == a.key.keyid or index == 0):
            continue
        out.add(log.keys[k].at(index)[0])
        if k in entry.reveals:
            out.add(entry.reveals[k])
            out.add(log.keys[k].at(entry.reveals[k])[0])
    if entry.statement.type == CORRECTION:
        p = entry.statement.predicate
        out.add(p["target"]["index"])
        if get(p, "replacement") is not None:
            out.add(p["replacement"]["index"])
    if a is not None and a.role in SPECIAL:
        out.add(log.keys[a.key.keyid].history[0][0])
    out.discard(index)
    return out


def support_set(log, index):
    """The indexes of all entries that the extra line of this entry's proof must carry."""
    found, todo = {0} if index else set(), [index, 0]
    while todo:
        for i in needs(log, todo.pop()):
            if i not in found:
                found.add(i)
                todo.append(i)
    return found


def root_from_proof(leaf, index, size, proof):
    """RFC 9162, 2.1.3.2; None if the proof has the wrong length."""
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\1" + p + r).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\1" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    return r if sn == 0 and index < size else None


def _compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _canonical(entry):
    """The bytes of an embedded entry, whatever else stands in it."""
    verified = {s["keyid"]: base64.b64decode(s["sig"], validate=True) for s in entry["signatures"]}
    return canonical_entry(base64.b64decode(entry["payload"], validate=True), verified)


def make_extra(log, index, proofs):
    """The extra line's JSON, with proofs as a function from an index to hashes."""
    items = [b'{"index":%d,"entry":%s,"proof":%s}' %
             (i, log.entries[i].data, _compact([to_base64(h) for h in proofs(i)]))
             for i in sorted(support_set(log, index))]
    return b'{"entry":%s,"support":[%s]}' % (log.entries[index].data, b",".join(items))


def judge_extra(line, index, size, root, entry=None):
    """The replayed Log if the extra line (base64) holds; else Refused."""
    data = from_base64(line)
    if data is None:
        raise Refused("extra-shape", "base64")
    try:
        value = parse_ijson(data)
        items = [(s["index"], _canonical(s["entry"]), [base64.b64decode(h, validate=True) for h in s["proof"]])
                 for s in value["support"]]
        own = _canonical(value["entry"])
    except (_BadJson, _TooDeep, KeyError, TypeError, ValueError, AttributeError) as e:
        raise Refused("extra-shape", repr(e))
    if entry is not None and own != entry:
        raise Refused("extra-support", "another entry")
    indexes = [i for i, _, _ in items]
    if not all(is_integer(i) and 0 <= i < index for i in indexes) or indexes != sorted(set(indexes)):
        raise Refused("extra-shape", "order")
    log = Log(partial=True)
    try:
        for i, e, proof in items:
            if any(len(h) != 32 for h in proof) or root_from_proof(leaf_hash(e), i, size, proof) != root:
                raise Refused("extra-support", f"inclusion of {i}")
            log.append_entry(e, i)
        if index and 0 not in log.entries:
            raise Refused("extra-support", "no entry 0")
        log.append_entry(own, index)
    except Refused as r:
        raise Refused("extra-support", str(r))
    return log
