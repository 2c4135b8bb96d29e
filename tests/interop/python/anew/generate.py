"""A seeded generator of candidate records for the admission rules v1.

candidates(world) yields Candidates one by one; whoever drives it admits each to world.log
before asking for the next, because later ones name leaf hashes of earlier ones.
"""
import base64
import copy
import hashlib
import json
import os
import random
import re

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

import rules

V1 = "https://in-toto.io/Statement/v1"
OTHER = "https://slsa.dev/provenance/v1"
ALL_TYPES = [rules.TEST, rules.RELEASE1, rules.RELEASE2, rules.AUDIT, rules.SEALED, rules.CORRECTION, OTHER]
RSA_SCHEMES = [s for s in rules.SCHEMES if s.startswith("rsa")]


class Candidate:
    def __init__(self, name, body, key=None):
        self.name, self.body, self.key = name, body, key


class Raw:
    """A piece of JSON text to be written as it stands."""

    def __init__(self, text):
        self.text = text


def dumps(value):
    raws = []

    def default(v):
        raws.append(v.text)
        return "@@RAW%d@@" % (len(raws) - 1)
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=default)
    return re.sub(r'"@@RAW(\d+)@@"', lambda m: raws[int(m[1])], text).encode("utf-8", "surrogatepass")


class Signer:
    def __init__(self, private, scheme):
        self.private, self.scheme = private, scheme
        self.der = private.public_key().public_bytes(serialization.Encoding.DER,
                                                     serialization.PublicFormat.SubjectPublicKeyInfo)
        self.keyid = hashlib.sha256(self.der).hexdigest()
        self.spki = base64.b64encode(self.der).decode()

    def pem(self):
        return self.private.public_key().public_bytes(serialization.Encoding.PEM,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, payload):
        message, scheme = rules.pae(payload), self.scheme
        if scheme == "ed25519":
            return self.private.sign(message)
        algorithm = rules.SCHEMES[scheme][1]
        if scheme.startswith("ecdsa"):
            return self.private.sign(message, ec.ECDSA(algorithm))
        pad = padding.PKCS1v15() if "pkcs1" in scheme else padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        return self.private.sign(message, pad, algorithm)

    def raw(self, sig):
        """The fixed-length form of an ECDSA signature."""
        size = 32 if "p256" in self.scheme else 48
        return b"".join(n.to_bytes(size, "big") for n in decode_dss_signature(sig))


def b64(data):
    return base64.b64encode(data).decode()


class World:
    def __init__(self, seed, origin, keydir):
        self.r = random.Random(seed)
        self.origin, self.keydir, self.n = origin, keydir, 0
        self.log = rules.Log(origin)
        os.makedirs(keydir, exist_ok=True)
        self.centre, self.recovery = self.new("ed25519"), self.new("ecdsa-p384-sha384")
        self.labs = {}

    def new(self, scheme="ed25519"):
        if scheme == "ed25519":
            return Signer(ed25519.Ed25519PrivateKey.from_private_bytes(self.r.randbytes(32)), scheme)
        if scheme.startswith("ecdsa"):
            curve = ec.SECP256R1() if "p256" in scheme else ec.SECP384R1()
            return Signer(ec.derive_private_key(self.r.getrandbits(250), curve), scheme)
        return Signer(self._rsa(3072 + 8 * RSA_SCHEMES.index(scheme)), scheme)

    def _rsa(self, bits):
        path = f"{self.keydir}/rsa{bits}.pem"
        if not os.path.exists(path):
            key = rsa.generate_private_key(65537, bits)
            with open(path, "wb") as f:
                f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption()))
        with open(path, "rb") as f:
            return serialization.load_pem_private_key(f.read(), None)

    # Statements

    def sha(self, text=None):
        self.n += 1
        return hashlib.sha256((text or f"file {self.n}").encode()).hexdigest()

    def statement(self, kind, predicate, subject=None):
        return {"_type": V1, "subject": subject or [{"name": f"f{self.n}", "digest": {"sha256": self.sha()}}],
                "predicateType": kind, "predicate": predicate}

    def test(self, full=True):
        p = {"result": self.r.choice(["PASSED", "WARNED", "FAILED"]),
             "configuration": [{"name": "suite", "uri": "https://lab.example/7"}]}
        if full:
            p.update(url="https://lab.example/run/1", passedTests=["boots"], warnedTests=[], failedTests=["x"],
                     assessment={
                         "laboratory": {"name": "Lab", "location": "Delft", "accreditation": "L 1"},
                         "reportId": "r-17", "scheme": "EN 18031-1:2024", "decisionRule": "simple",
                         "dates": {"received": "2026-11-01T09:00:00Z", "started": "2026-11-02T09:00:00Z",
                                   "completed": "2026-11-20T17:00:00+01:00", "issued": "2026-11-22T14:40:50Z"},
                         "deviations": ["none"], "report": {"name": "r.pdf", "digest": {"sha256": self.sha()}}})
        return self.statement(rules.TEST, p)

    def release(self, kind=rules.RELEASE2):
        ident = "releaseId" if kind == rules.RELEASE1 else "packageId"
        return self.statement(kind, {"purl": "pkg:generic/acme/router@1.2.3", ident: "id-1", "firmware": {
            "vendor": "Acme", "model": "R-1", "hardwareRevisions": ["A", "B"], "version": "1.2.3",
            "suit": {"uri": "x", "digest": {"sha512": "ab" * 64}}}})

    def audit(self):
        return self.statement(rules.AUDIT, {
            "id": "urn:uuid:1", "eventType": "control", "action": "evaluate", "outcome": "success",
            "eventTime": "2026-11-22T14:40:50Z", "reason": {"reasonCode": "annual"},
            "initiator": {"id": "role:a", "typeURI": "data/x", "name": "n"},
            "target": {"id": "lab-1", "typeURI": "service/lab"}, "observerId": "centre",
            "attachments": [{"name": "m", "digest": {"hmac_sha256": "ab" * 32}}, {"content": "text"}]})

    def sealed(self, payload=None):
        digest = hashlib.sha256(rules.pae(payload)).hexdigest() if payload is not None else self.sha()
        return self.statement(rules.SEALED, {"embargoUntil": "2027-02-01T00:00:00Z", "reason": "r"},
                              [{"digest": {"sha256": digest}}])

    def ref(self, index):
        e = self.log.entries.get(index)
        return {"index": index, "leafHash": e.leaf.hex() if e else "ab" * 32}

    def correction(self, target, replacement=None, reason="wrong sample"):
        self.n += 1
        p = {"action": "withdraw", "reason": f"{reason} {self.n}", "target": self.ref(target)}
        if replacement is not None:
            p.update(action="replace", replacement=self.ref(replacement))
        return self.statement(rules.CORRECTION, p, [{"digest": {"sha256": p["target"]["leafHash"]}}])

    def other(self):
        return self.statement(OTHER, {"buildDefinition": {"x": 1.5, "y": [True, None]}, "Result": "free"})

    def previous(self, signer):
        reg = self.log.keys.get(signer.keyid)
        return {"index": reg.history[-1][0], "leafHash": reg.history[-1][1].hex()} if reg else None

    def accreditation(self, s, party, role="lab", status="granted", types=None, **more):
        if types is None:
            types = [rules.ACCREDITATION, rules.AUDIT, rules.CORRECTION] if role == "centre" else \
                [rules.ACCREDITATION] if role == "recovery" else ALL_TYPES
        self.n += 1
        p = {"log": self.origin, "party": party, "role": role, "spki": s.spki, "scheme": s.scheme,
             "predicateTypes": types, "status": status, "previous": self.previous(s), "n": self.n}
        p.update(more)
        return self.statement(rules.ACCREDITATION, p, [{"name": party, "digest": {"sha256": s.keyid}}])

    def entry0(self):
        return self.accreditation(self.centre, "centre", "centre", admissionRules=rules.RULES,
                                  recovery={"spki": self.recovery.spki, "scheme": self.recovery.scheme})

    # Envelopes

    def envelope(self, payload, signers, keyids=True):
        if not isinstance(payload, bytes):
            payload = dumps(payload)
        sigs = [{"keyid": s.keyid, "sig": b64(s.sign(payload))} if keyids else {"sig": b64(s.sign(payload))}
                for s in signers]
        return {"payloadType": rules.PAYLOAD_TYPE, "payload": b64(payload), "signatures": sigs}

    def cand(self, name, payload, *signers, keyids=True):
        return Candidate(name, dumps(self.envelope(payload, signers, keyids)))

    def some_lab(self):
        return self.r.choice([s for s in self.labs.values()])

    def honest(self):
        """(template's name, statement)"""
        targets = [i for i, e in self.log.entries.items() if not e.accreditation]
        makers = [("test", self.test), ("release", self.release), ("audit", self.audit), ("sealed", self.sealed),
                  ("release1", lambda: self.release(rules.RELEASE1)), ("other", self.other)]
        if len(targets) > 1:
            a, b = self.r.sample(targets, 2)
            makers += [("withdraw", lambda: self.correction(a)), ("replace", lambda: self.correction(a, b))]
        name, make = self.r.choice(makers)
        return name, make()


# Edge values, as JSON texts

X = "x"
VALUES = ["null", "true", "false", "0", "-0", "1", "1.0", "1e0", "-1", "9007199254740991", "9007199254740992",
          "-9007199254740991", "-9007199254740992", "9007199254740991.4", "9007199254740991.5", "1e308", "1e309",
          "1e-400", "0.5", "-0.0", '""', '"a"', '" "', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udc00\\ud800"',
          '"\\ud83d\\ude00"', '"\\ufffe"', '"\\uffff"', '"\\ufdd0"', '"\\ud83f\\udffe"', '"\\ufeff"', '"\\uffef"',
          "[]", "{}", "[null]", '[""]', '["a"]', '["a","a"]', '[{}]', '{"a":null}', '{"digest":{}}',
          '{"uri":""}', '{"content":""}', '{"content":1}', '{"digest":null,"uri":"a"}', '{"uri":5}',
          '{"digest":{"sha1":"x"}}', '{"digest":{"sha1":5}}', '{"digest":{"sha1":null}}',
          '"%s"' % (X * 4096), '"%s"' % (X * 4097), '"%s"' % ("\u00e9" * 2048), '"%s"' % ("\u00e9" * 2048 + "x"),
          '["%s"]' % (X * 4096), '["%s"]' % (X * 4097), '"\\n"', '"PASSED"', '"granted"', '"success/"', '"success/x"',
          '"failure/\\n"', '"success/%s"' % ("x" * 4088), '"success/%s"' % ("x" * 4089), '"Success"', '"pending"',
          '"activity"', '"monitor"', '"withdraw"', '"replace"', '"a:b"', '"a:"', '"A:b"', '"1a:b"', '"a:b c"',
          '"a+.-9:b"', '"a:b<"', '"a:%s"' % ("b" * 253), '"a:%s"' % ("b" * 254), '"a:\u00e9"', '":b"', '"ab"',
          '"a:~!"', '"a:{"', '"a:|"', '"a:\\\\"', '"a:`"', '"a:^"', '"a:\\""', '"a_b:c"', '"%s"' % ("ab" * 32),
          '"%s"' % ("AB" * 32), '"%s"' % ("a" * 63), '"%s"' % ("a" * 65), '"%s"' % ("g" * 64), "01", "+1", ".5", "1.",
          "NaN", "'a'", '"\\x41"', '"\t"', '"a', "[1,]", "tru", "1e5", "12345678901234567890123"]
TIMES = ["2026-01-01T00:00:00Z", "2026-01-01t00:00:00Z", "2026-01-01T00:00:00z", "2026-01-01 00:00:00Z",
         "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.0Z", "2026-01-01T00:00:00,5Z",
         "2026-01-01T00:00:00.%sZ" % ("1" * 500), "2026-01-01T00:00:00.%sZ" % ("1" * 5000),
         "2026-01-01T00:00:00-00:00", "2026-01-01T00:00:00+23:59", "2026-01-01T00:00:00-23:59",
         "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60", "2026-01-01T00:00:00+0100",
         "2026-01-01T00:00:00+01", "2026-01-01T24:00:00Z", "2026-01-01T23:59:59Z", "2026-01-01T23:60:00Z",
         "2026-12-31T23:59:60Z", "2026-11-30T23:59:60Z", "2026-11-29T23:59:60Z", "2026-02-28T23:59:60Z",
         "2024-02-28T23:59:60Z", "2024-02-29T23:59:60Z", "2027-01-01T00:59:60+01:00", "2026-12-31T22:59:60-01:00",
         "2026-12-31T22:59:60Z", "2026-12-31T23:58:60Z", "2026-12-31T23:59:60.5Z", "2026-12-31T23:59:61Z",
         "2026-12-31T23:59:60+01:00", "2026-01-01T00:00:60+00:01", "0000-01-01T00:00:00Z", "0000-02-29T00:00:00Z",
         "0000-01-01T00:00:00+01:00", "0000-01-01T00:59:60+01:00", "9999-12-31T23:59:60Z", "9999-12-31T23:59:59-23:59",
         "10000-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z",
         "1900-02-29T00:00:00Z", "2000-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z",
         "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", " 2026-01-01T00:00:00Z",
         "2026-01-01T00:00:00Z ", "2026-01-01T00:00:00Z\n", "2026-01-01T00:00:00\u0660Z", "2026-1-1T00:00:00Z",
         "2026-01-01T00:00Z", "2026-01-01", "\uff12026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+00:00", ""]
PURLS = ["pkg:a/b@1", "pkg:a/b@", "pkg:a/@1", "pkg:a/b", "pkg:b@1", "pkg:/a/b@1", "pkg://a/b@1", "pkg:///a/b@1",
         "pkg:1a/b@1", "pkg:a1.+-/b@1", "pkg:a_b/b@1", "pkg:A/b@1", "PKG:a/b@1", "pkg:a/b@1?x=y/z", "pkg:a/b?@1",
         "pkg:a/b#@1", "pkg:a/b@1#c/d", "pkg:a/b@1/", "pkg:a/b@1/c", "pkg:a/c/b@1", "pkg:a//b@1", "pkg:a/b@1@2",
         "pkg:a/b@@2", "pkg:a/@@2", "pkg:a/b@1@", "pkg:a/%40b@1", "pkg:a/@scope/b@1", "pkg:a@1/b", "pkg:a@1/b@2",
         "pkg:/", "pkg:", "pkg:a/", "pkg:?a/b@1", "pkg:a/b@1?", "pkg:a/b@?", "pkg:/?a/b@1", "pkg: a/b@1", "npm:a/b@1",
         "pkg:a/b@%s" % ("1" * 247), "pkg:a/b@%s" % ("1" * 248), "pkg:a/b@\u00e9", "pkg:a/b@1?a#b", "pkg:a/b@1#?"]


def paths(value, at=()):
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for k, v in items:
        yield from paths(v, at + (k,))


def put(value, path, new):
    for k in path[:-1]:
        value = value[k]
    value[path[-1]] = new


def look(value, path):
    for k in path:
        value = value[k]
    return value


def show(path):
    return ".".join(str(p) for p in path) or "(all)"


def other_case(r, name):
    options = [name.upper(), name.capitalize(), name[:1].swapcase() + name[1:], name.replace("s", "\u017f"),
               name.replace("k", "\u212a"), name.replace("fi", "\ufb01"), name.lower(), name.swapcase()]
    return r.choice([o for o in options if o != name] or [name + "x"])


def mutate(w, s):
    """One change to a statement; its short name."""
    r = w.r
    every = [p for p in paths(s) if p]
    path = r.choice(every)
    old = look(s, path)
    what = r.randrange(9)
    if what <= 3:
        value = r.choice(VALUES)
        put(s, path, Raw(value))
        return f"{show(path)} = {value[:40]}"
    if what == 4 and isinstance(path[-1], str):
        del look(s, path[:-1])[path[-1]]
        return f"{show(path)} absent"
    if what == 5 and isinstance(path[-1], str):
        name = other_case(r, path[-1])
        parent = look(s, path[:-1])
        parent[name] = old if r.random() < 0.5 else Raw("null")
        if r.random() < 0.5:
            del parent[path[-1]]
        return f"{show(path)} named {name}"
    if what == 6 and isinstance(old, dict):
        extra = r.choice(["x", "", "Name", "URI", "Digest", "Salt", "salt", "annotations", "Annotations", "\u00e9", "Index",
                          "Content", "mediatype", "SHA256", "sha1", "SHA1", "gitcommit", "a\u0000", "NotRunTests",
                          "notRunTests", "PackageId", "ReleaseId", "packageId", "releaseId", "reason", "Reason"])
        old[extra] = Raw(r.choice(VALUES))
        return f"{show(path)} + {extra!r}: {old[extra].text[:30]}"
    if what == 7 and isinstance(old, str):
        pool = TIMES if "T" in old and old.endswith("Z") or re.search("Time|Until", str(path[-1])) else \
            PURLS if old.startswith("pkg:") else ["a:b", OTHER, rules.TEST, rules.AUDIT]
        new = r.choice(pool)
        put(s, path, new)
        return f"{show(path)} = {new[:40]}"
    if what == 8 and isinstance(old, list) and old:
        n = r.choice([0, 2, 10000, 10001] if isinstance(old[0], str) else [0, 2, 33, 64, 65])
        put(s, path, [old[0]] * n)
        return f"{show(path)} x {n}"
    put(s, path, Raw(r.choice(VALUES)))
    return f"{show(path)} = {look(s, path).text[:40]}"


def mutations(w, count, pairs):
    for _ in range(count):
        kind, s = w.honest()
        name = mutate(w, s)
        if pairs:
            try:
                name += " & " + mutate(w, s)
            except (TypeError, KeyError, IndexError):
                pass
        yield w.cand(f"{kind}: {name}", s, w.some_lab())


# Directed probes, by sections of the page

def statement_probes(w):
    def go(name, s, *more):
        return w.cand("statement: " + name, s, w.labs["main"], *more)
    for t in (V1, "https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v0.2", "", "https://in-toto.io/Statement/V1"):
        yield go(f"_type {t}", {**w.test(), "_type": t})
    for n in (0, 1, 64, 65):
        yield go(f"{n} subjects", {**w.other(), "subject": [{"digest": {"sha256": w.sha()}} for _ in range(n)]})
    algs = list(rules.STRONG)
    for n in (191, 192, 193):
        subj = [{"digest": {a: "ab" * (rules.STRONG[a] // 2) for a in algs[i:i + 3]}}
                for i in range(1) for _ in range(n // 3)]
        if n % 3:
            subj.append({"digest": {a: "cd" * (rules.STRONG[a] // 2) for a in algs[:n % 3]}})
        if len(subj) <= 64:
            yield go(f"{n} strong digests", {**w.other(), "subject": subj})
    yield go("193 strong digests in 49 subjects", {**w.other(), "subject":
             [{"digest": {a: "ab" * 32 for a in ("sha256", "sha512_256", "sha3_256", "gitCommit")}}] * 48 +
             [{"digest": {"sha256": w.sha()}}]})
    yield go("192 strong digests in 48 subjects, weak ones beside", {**w.other(), "subject":
             [{"digest": {**{a: "ab" * 32 for a in ("sha256", "sha512_256", "sha3_256", "gitCommit")}, "sha1": "x",
                          "gitTag": "ab" * 20}}] * 48})
    for a, n in rules.STRONG.items():
        for d in (n - 2, n - 1, n, n + 1, 40, 64, 0):
            yield go(f"digest {a} of {d}", {**w.other(), "subject": [{"name": w.sha(), "digest": {a: "a" * d}}]})
        yield go(f"digest {a} of 40 beside sha256",
                 {**w.other(), "subject": [{"digest": {"sha256": w.sha(), a: "a" * 40}}]})
        yield go(f"digest {a} upper", {**w.other(), "subject": [{"digest": {a: "A" * n}}]})
        yield go(f"digest {a} null beside sha3_512",
                 {**w.other(), "subject": [{"name": w.sha(), "digest": {"sha3_512": "ab" * 64, a: Raw("null")}}]})
        yield go(f"digest name {a} in capitals",
                 {**w.other(), "subject": [{"digest": {"sha256": w.sha(), a.upper(): "a" * n}}]})
    for v in ("null", "5", '"any"', '""', "[]", '"\\u0000"'):
        for a in ("sha1", "md5", "foo", "sha224"):
            yield go(f"weak digest {a} {v}", {**w.other(), "subject": [{"digest": {"sha256": w.sha(), a: Raw(v)}}]})
    for n in ("name", "uri", "downloadLocation", "mediaType", "content", "annotations"):
        for v in ("null", "5", '""', '"\\u0000"', '"%s"' % ("x" * 5000), "[]", "{}"):
            yield go(f"subject {n} {v[:12]}", {**w.other(), "subject": [{"digest": {"sha256": w.sha()}, n: Raw(v)}]})
    for p in ("null", "[]", '""', "{}"):
        yield go(f"predicate {p}", {**w.other(), "predicate": Raw(p)})
    s = w.other()
    del s["predicate"]
    yield go("predicate absent", s)
    for d in (28, 29, 30, 31, 32, 33, 40):
        for o, c in ("[]", ("{\"a\":", "}")):
            core = "1" if o != "[" else ""
            yield go(f"payload {d} deep by {o}", {**w.other(), "predicate": {"a": Raw(o * (d - 2) + core + c * (d - 2))}})
            yield go(f"payload {d} deep by {o} scalar", {**w.other(), "predicate": {"a": Raw(o * (d - 2) + "1" + c * (d - 2))}})
    for n in ("\0", "a\0", "\ufffe", "\U0010ffff", "\ufdef", "\ufdf0", "\ud800"):
        yield go(f"member named {n!r}", {**w.other(), "predicate": {n: 1, "k": w.n}})
    base = dumps(w.other())
    for name, data in (("BOM", b"\xef\xbb\xbf" + base), ("space around", b" \n" + base + b"\t\r\n"),
                       ("a second value", base + b"{}"), ("NUL after", base + b"\0"), ("form feed", b"\f" + base),
                       ("comment", base + b"//"), ("empty", b""), ("duplicate", base[:-1] + b',"_type":"x"}'),
                       ("escaped duplicate", base[:-1] + b',"\\u005ftype":"https://in-toto.io/Statement/v1"}'),
                       ("nested duplicate", base[:-1] + b',"z":{"a":1,"a":1}}'), ("invalid UTF-8", base[:-1] + b',"z":"\xff"}'),
                       ("overlong", base[:-1] + b',"z":"\xc0\xaf"}'), ("surrogate in UTF-8", base[:-1] + b',"z":"\xed\xa0\x80"}'),
                       ("UTF-16", base.decode().encode("utf-16")), ("raw DEL", base[:-1] + b',"z":"\x7f"}'),
                       ("raw control", base[:-1] + b',"z":"\x1f"}'), ("array", b"[1]"), ("null", b"null"),
                       ("long number", base[:-1] + b',"z":0.' + b"1" * 5000 + b"}"),
                       ("long integer", base[:-1] + b',"z":1' + b"0" * 5000 + b"}"),
                       ("long exponent", base[:-1] + b',"z":0e' + b"9" * 5000 + b"}"),
                       ("large times small", base[:-1] + b',"z":1' + b"0" * 400 + b"e-400}"),
                       ("nonchar 4-byte", base[:-1] + b',"z":"\xf0\x9f\xbf\xbe"}'),
                       ("beyond U+10FFFF", base[:-1] + b',"z":"\xf4\x90\x80\x80"}')):
        yield go("payload " + name, data)


def value_probes(w):
    """Every edge value at places of each form."""
    places = [("test", w.test, p) for p in ("url", "passedTests", "configuration", "assessment", "result")]
    places += [("audit", w.audit, p) for p in ("outcome", "eventTime", "initiator", "reason", "attachments", "id", "eventType")]
    places += [("release", w.release, p) for p in ("purl", "packageId", "firmware")]
    places += [("sealed", w.sealed, p) for p in ("embargoUntil", "reason")]
    for kind, make, member in places:
        for v in w.r.sample(VALUES, 36):
            s = make()
            s["predicate"][member] = Raw(v)
            yield w.cand(f"{kind}.{member} = {v[:40]}", s, w.some_lab())
    for v in VALUES:
        yield w.cand(f"other.value = {v[:40]}", {**w.other(), "predicate": {"v": Raw(v), "n": w.n}}, w.labs["main"])
        s = {**w.other(), "predicateType": Raw(v)}
        yield w.cand(f"predicateType = {v[:40]}", s, w.labs["main"])
    for t in TIMES:
        for kind, make, at in (("audit", w.audit, ("eventTime",)), ("sealed", w.sealed, ("embargoUntil",)),
                               ("test", w.test, ("assessment", "dates", w.r.choice(["received", "issued"])))):
            s = make()
            put(s["predicate"], at, t)
            yield w.cand(f"{kind} time {t[:40]}", s, w.some_lab())
    for a, b in (("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), ("2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00.10Z"),
                 ("2026-01-01T00:00:00.%s1Z" % ("0" * 40), "2026-01-01T00:00:00Z"),
                 ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.%s1Z" % ("0" * 40)),
                 ("2026-01-01T00:00:00Z", "2026-01-01T00:59:59+01:00"), ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"),
                 ("2027-01-01T00:00:00Z", "2026-12-31T23:59:60Z"), ("2026-12-31T23:59:60Z", "2027-01-01T00:00:00Z"),
                 ("2026-12-31T23:59:60.5Z", "2027-01-01T00:00:00.5Z"), ("2027-01-01T00:00:00.6Z", "2026-12-31T23:59:60.5Z"),
                 ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00+00:01"), ("9999-12-31T23:59:59Z", "9999-12-31T23:59:60Z"),
                 ("2026-12-31T23:59:60Z", "2026-12-31T23:59:59Z"), ("0000-03-01T00:00:00+00:01", "0000-02-29T23:59:00Z")):
        s = w.test()
        s["predicate"]["assessment"]["dates"].update(started=a, completed=b)
        yield w.cand(f"completed is not before started {a[:30]} {b[:30]}", s, w.some_lab())
    for p in PURLS:
        s = w.release(w.r.choice([rules.RELEASE1, rules.RELEASE2]))
        s["predicate"]["purl"] = p
        yield w.cand(f"purl {p[:40]}", s, w.some_lab())
    for n in (9999, 10000, 10001):
        s = w.test()
        s["predicate"]["passedTests"] = ["a"] * n
        yield w.cand(f"list of {n}", s, w.labs["main"])
    for n in (3, 4, 5):
        s = w.test()
        del s["predicate"]["assessment"]["laboratory"]["location"]
        s["predicate"]["assessment"]["laboratory"]["name"] = "\u00e9" * n
        yield w.cand("laboratory without location", s, w.some_lab())
    for salt_kind, make in (("test", w.test), ("audit", w.audit), ("release", w.release), ("sealed", w.sealed), ("other", w.other)):
        for n in ("Salt", "\u017falt", "salt"):
            for v in ('"x"', "5", "null"):
                s = make()
                s["predicate"][n] = Raw(v)
                yield w.cand(f"{salt_kind} with {n} {v}", s, w.labs["main"])
    for n in ("reason", "initiatorId", "initiator"):
        for v in ("null", '"t"', "5", '""', "{}", "[]"):
            s = w.audit()
            s["predicate"].update({"eventType": "activity", n: Raw(v)})
            yield w.cand(f"activity with {n} {v}", s, w.labs["main"])
    for at in ('{"digest":{"sha256":"%s"}}' % ("ab" * 32), '{"digest":{"sha1":"a"}}', '{"digest":{},"content":1}',
               '{"digest":null,"content":1}', '{"digest":null,"content":null}', '{"content":false}', '{"content":null}',
               '{"content":1,"Name":1}', '{"content":1,"name":5}', '{"content":1,"Digest":5}', '{"content":1,"URI":5}',
               '{"content":1,"uri":5}', '{"content":1,"Annotations":5}', '{"uri":"a"}', "{}", '{"CONTENT":1,"content":1}'):
        s = w.audit()
        s["predicate"]["attachments"] = [Raw(at)]
        yield w.cand(f"attachment {at[:40]}", s, w.labs["main"])


def envelope_probes(w):
    main, other = w.labs["main"], w.labs["ecdsa-p256-sha256"]

    def fresh():
        return w.envelope({**w.other(), "n": "?>~" * w.r.randrange(1, 5)}, [main])

    def go(name, e, key=None):
        return Candidate("envelope: " + name, e if isinstance(e, bytes) else dumps(e), key)
    for member in ("payloadType", "payload", "signatures"):
        for v in ("null", "5", '""', "[]", "{}", '"a"', '"@"'):
            yield go(f"{member} {v}", {**fresh(), member: Raw(v)})
        e = fresh()
        yield go(f"{member} in capitals beside", {**e, member.upper(): Raw("1"), member.capitalize(): Raw("null")})
        del e[member]
        yield go(f"{member} absent", e)
    for n, v in (("keyid", "null"), ("keyid", "5"), ("keyid", '""'), ("keyid", '"%s"' % main.keyid.upper()),
                 ("keyid", '"%s"' % ("ab" * 32)), ("keyid", '"\\u0000"'), ("keyid", '"%s"' % ("x" * 9000)), ("keyid", "[]"),
                 ("KeyID", "5"), ("sig", "null"), ("sig", '""'), ("sig", "5"), ("Sig", "5"), ("x", "1e3"), ("x", "1e300"),
                 ("keyid", '"%s"' % other.keyid), ("cert", '"x"')):
        e = fresh()
        e["signatures"][0][n] = Raw(v)
        yield go(f"signature {n} {v[:20]}", e)
    for pad in range(3):
        s = w.other()
        s["pad"] = "?>" * 20 + "x" * pad
        while len(dumps(s)) % 3 != pad:
            s["pad"] += "~"
        payload = dumps(s)
        std, url = b64(payload), base64.urlsafe_b64encode(payload).decode()
        mixed = std.replace("+", "-", 1) if "/" in std else std[:-4] + std[-4:]
        for name, text in (("standard", std), ("unpadded", std.rstrip("=")), ("url", url), ("url unpadded", url.rstrip("=")),
                           ("mixed", "".join(c if i % 2 else d for i, (c, d) in enumerate(zip(std, url)))), ("mixed 2", mixed),
                           ("half padded", std.rstrip("=") + "="), ("over padded", std + "="), ("four pads", std + "===="),
                           ("line end", std + "\n"), ("space", std[:8] + " " + std[8:]), ("pad inside", std[:4] + "=" + std[4:]),
                           ("one letter more", std.rstrip("=") + "A"), ("tab", "\t" + std)):
            e = w.envelope(payload, [main])
            e["payload"] = text
            yield go(f"payload {name}, {pad} over", e)
        if pad:
            bits = std.rstrip("=")
            alpha = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            e = w.envelope(payload, [main])
            e["payload"] = bits[:-1] + alpha[alpha.index(bits[-1]) | 1] + "=" * (-len(bits) % 4)
            yield go(f"unused bits, {pad} over", e)
    for n in (0, 1, 2, 15, 16, 17):
        e = fresh()
        e["signatures"] = [copy.deepcopy(e["signatures"][0]) for _ in range(n)]
        yield go(f"{n} signatures, repeated", e)
        e = fresh()
        e["signatures"] = [{"keyid": "x", "sig": b64(b"x" * 10)}] * (n - 1) + e["signatures"] if n else []
        yield go(f"{n} signatures, one good", e)
    for scheme, s in w.labs.items():
        for ids in (True, False):
            st = dumps(w.test())
            yield Candidate(f"scheme {scheme} keyids {ids}", dumps(w.envelope(st, [s], ids)))
            yield Candidate(f"resent {scheme} keyids {ids}", dumps(w.envelope(st, [s], not ids)))
            yield Candidate(f"resent with another {scheme}", dumps(w.envelope(st, [s, main], ids)))
            yield Candidate(f"resent, one of two {scheme}", dumps(w.envelope(st, [main], ids)))
            yield Candidate(f"resent, the two {scheme}", dumps(w.envelope(st, [main, s], ids)))
        e = w.envelope(w.test(), [s])
        sig = bytearray(base64.b64decode(e["signatures"][0]["sig"]))
        sig[-1] ^= 1
        e["signatures"][0]["sig"] = b64(bytes(sig))
        yield go(f"one bit of the signature {scheme}", e)
        for cut in (b"", b"\0"):
            e = w.envelope(w.test(), [s])
            sig = base64.b64decode(e["signatures"][0]["sig"])
            e["signatures"][0]["sig"] = b64(sig + cut if cut else sig[:-1])
            yield go(f"signature longer or shorter {scheme}", e)
        if scheme.startswith("ecdsa"):
            yield from ecdsa_probes(w, s, go)
        if scheme == "ed25519":
            e = w.envelope(w.test(), [s])
            sig = base64.b64decode(e["signatures"][0]["sig"])
            big = int.from_bytes(sig[32:], "little") + 2 ** 252 + 27742317777372353535851937790883648493
            e["signatures"][0]["sig"] = b64(sig[:32] + big.to_bytes(32, "little"))
            yield go("Ed25519 with S beyond the order", e)
    e = w.envelope(w.test(), [main, other])
    e["signatures"].reverse()
    yield go("signatures sorted by keyid", e)
    stranger = w.new()
    yield go("a stranger beside", w.envelope(w.test(), [stranger, main]))
    yield go("a stranger alone", w.envelope(w.test(), [stranger]))
    yield go("alias as keyid", hint(w.envelope(w.test(), [w.labs["aliased"]]), ["alias/one"]))
    yield go("wrong keyid, known key's", hint(w.envelope(w.test(), [main, other]), [other.keyid, main.keyid]))
    for key in (main.keyid, other.keyid, "ab" * 32, stranger.keyid):
        yield go(f"?key= {key[:6]} without keyid", w.envelope(w.test(), [main], False), key)
        yield go(f"?key= {key[:6]} with keyid", w.envelope(w.test(), [main]), key)
        yield go(f"?key= {key[:6]} with null keyid", hint(w.envelope(w.test(), [main]), [None]), key)
        yield go(f"?key= {key[:6]} with unknown keyid", hint(w.envelope(w.test(), [main]), ["ab" * 32]), key)
        yield go(f"?key= {key[:6]} with empty keyid", hint(w.envelope(w.test(), [main]), [""]), key)
    raw = dumps(fresh())
    for name, data in (("empty body", b""), ("BOM", b"\xef\xbb\xbf" + raw), ("white space", b" \n\t" + raw + b"\r\n"),
                       ("two values", raw + raw), ("NUL after", raw + b"\0"), ("duplicate", raw[:-1] + b',"payload":"x"}'),
                       ("duplicate of other", raw[:-1] + b',"z":1,"z":1}'), ("array", b"[" + raw + b"]"), ("null", b"null"),
                       ("invalid UTF-8", raw[:-1] + b',"z":"\xff"}'), ("escaped names", raw.replace(b'"payload":', b'"p\\u0061yload":')),
                       ("large number", raw[:-1] + b',"z":9007199254740992}'), ("number at bound", raw[:-1] + b',"z":-9007199254740991}'),
                       ("lone surrogate", raw[:-1] + b',"z":"\\ud800"}'), ("nonchar", raw[:-1] + b',"z":"\\uffff"}'),
                       ("NUL in name", raw[:-1] + b',"\\u0000":1}'), ("NUL in text", raw[:-1] + b',"z":"\\u0000"}'),
                       ("escaped slash", raw.replace(b"application/", b"application\\/"))):
        yield go("body " + name, data)
    for d in (30, 31, 32, 33):
        raw = dumps(fresh())
        yield go(f"body {d} deep", raw[:-1] + b',"z":' + b"[" * (d - 1) + b"]" * (d - 1) + b"}")
    for n in (262143, 262144, 262145):
        raw = dumps(fresh())
        yield go(f"body of {n}", raw + b" " * (n - len(raw)))
    yield from entry_size_probes(w, main, go)


def ecdsa_probes(w, s, go):
    size = 32 if "p256" in s.scheme else 48
    for name in ("fixed", "fixed without keyid", "high s", "high s fixed", "BER length", "extra zero"):
        e = w.envelope(w.test(), [s], "without" not in name)
        sig = base64.b64decode(e["signatures"][0]["sig"])
        r, v = decode_dss_signature(sig)
        order = {32: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551,
                 48: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973}[size]
        if "high" in name:
            v = order - v
        if "fixed" in name:
            sig = r.to_bytes(size, "big") + v.to_bytes(size, "big")
        elif "high" in name:
            sig = rules.encode_dss_signature(r, v)
        elif "BER" in name:
            sig = b"\x30\x81" + sig[1:]
        else:
            sig = bytes([0x30, sig[1] + 1, 2, sig[3] + 1, 0]) + sig[4:]
        e["signatures"][0]["sig"] = b64(sig)
        yield go(f"{s.scheme} {name}", e)


def entry_size_probes(w, main, go):
    s = w.other()
    s["pad"] = ""
    s["n"] = w.sha()
    empty = len(rules.canonical_entry(dumps(s), {main.keyid: b"x" * 64}))
    for total in range(65530, 65542):
        st = copy.deepcopy(s)
        room = (total - empty) // 4 * 3
        for n in range(max(room - 4, 0), room + 5):
            st["pad"] = "p" * n
            if len(rules.canonical_entry(dumps(st), {main.keyid: b"x" * 64})) == total:
                yield go(f"entry of {total} bytes", w.envelope(dumps(st), [main]))
                e = w.envelope(dumps({**st, "n": w.sha()}), [main])
                e["signatures"].append({"sig": b64(b"y" * 300)})
                yield go(f"entry of {total} bytes beside a signature that is dropped", e)
                break


def hint(e, keyids):
    for s, k in zip(e["signatures"], keyids):
        s["keyid"] = Raw("null") if k is None else k
    return e


def registry_probes(w):
    lab = w.new()

    def go(name, s, *signers):
        return w.cand("accreditation: " + name, s, *signers)

    def fresh(**more):
        k = w.new()
        return k, w.accreditation(k, f"p{w.n}", **more)
    c = w.centre
    k, s = fresh()
    yield go("new key without possession", s, c)
    yield go("new key without the centre", s, k)
    yield go("new key by recovery", s, w.recovery, k)
    yield go("resent by centre", s, c, k)
    k, s = fresh()
    yield Candidate("accreditation: without keyids", dumps(w.envelope(s, [k, c], False)))
    k, s = fresh()
    yield Candidate("accreditation: new key hinted by the centre's keyid", dumps(hint(w.envelope(s, [c, k]), [c.keyid, c.keyid])))
    for status in ("suspended", "ended", "Granted", ""):
        k, s = fresh(status=status)
        yield go(f"first status {status}", s, c, k)
    for m, vs in (("log", ['"x"', "null", '"example.com/log "']), ("party", ['"A"', '""', '"a"', '"-a"', '"a-._9"', '"%s"' % ("a" * 64), '"%s"' % ("a" * 65), '"9"', '"a/b"', '".a"', '"a\\n"']),
                  ("role", ['"A"', '"x"', '"%s"' % ("a" * 64), '"%s"' % ("a" * 65), "null", '"centre"', '"recovery"', '"9.b"']),
                  ("scheme", ['"x"', "null", '"ecdsa-p256-sha256"', '"ED25519"', "5"]),
                  ("keyidAliases", ["null", "[]", '["a"]', '["a","a"]', '[""]', "[5]", '"a"', '["%s"]' % ("a" * 255), '["%s"]' % ("a" * 256),
                                    '["a\\u0000"]', '["%s"]' % ("\u00e9" * 128), '["1","2","3","4","5","6","7","8"]', '["1","2","3","4","5","6","7","8","9"]']),
                  ("predicateTypes", ["null", "[]", '["a:b"]', '["a:b","a:b"]', '["A:b"]', "[null]", '["%s"]' % rules.ACCREDITATION,
                                      "[%s]" % ",".join('"a:%d"' % i for i in range(32)), "[%s]" % ",".join('"a:%d"' % i for i in range(33))]),
                  ("previous", ["null", "{}", "5", '{"index":0,"leafHash":"%s"}' % ("ab" * 32), '{"index":0}', '{"index":1.0,"leafHash":"%s"}' % ("ab" * 32),
                                '{"index":-1,"leafHash":"%s"}' % ("ab" * 32), '{"Index":0,"index":0,"leafHash":"%s"}' % ("ab" * 32)]),
                  ("validUntil", ["null", "5", '""', '"2026-01-01T00:00:00Z"', '"2026-01-01"', '"2026-12-31T23:59:60Z"', '"1999-01-01T00:00:00.5-23:59"']),
                  ("admissionRules", ["null", '"%s"' % rules.RULES, '"x"', "5"]), ("recovery", ["null", "{}", "5"]),
                  ("salt", ['"x"']), ("Salt", ['"x"']), ("Log", ['"x"']), ("\u017fpki", ["1"]), ("STATUS", ["null"])):
        for v in vs:
            k, s = fresh()
            s["predicate"][m] = Raw(v)
            yield go(f"{m} {v[:40]}", s, c, k)
    for m in ("log", "party", "role", "spki", "scheme", "predicateTypes", "status", "previous"):
        k, s = fresh()
        del s["predicate"][m]
        yield go(f"{m} absent", s, c, k)
    for name, subj in (("another digest", [{"digest": {"sha256": "ab" * 32}}]), ("two subjects", 2), ("sha512 beside", "sha512"),
                       ("sha1 beside", "sha1"), ("git of 40 beside", "gitCommit"), ("null sha512 beside", "null")):
        k, s = fresh()
        d = s["subject"][0]["digest"]
        if isinstance(subj, list):
            s["subject"] = subj
        elif subj == 2:
            s["subject"] *= 2
        elif subj == "null":
            d["sha512"] = Raw("null")
        else:
            d[subj] = "ab" * (64 if subj == "sha512" else 20)
        yield go("subject " + name, s, c, k)
    for name, spki in key_forms(w):
        k, s = fresh()
        s["predicate"]["spki"] = spki
        try:
            s["subject"][0]["digest"]["sha256"] = hashlib.sha256(base64.b64decode(spki)).hexdigest()
        except ValueError:
            pass
        yield go("spki " + name, s, c, k)
    # One key's life
    yield go("life: grant", w.accreditation(lab, "life"), c, lab)
    yield w.cand("life: used", w.test(), lab)
    sealed_inner = {**w.test(), "n": 1}
    sealed_inner["predicate"]["salt"] = "ab" * 16
    inner = dumps(sealed_inner)
    nosalt, short, narrow, beside = (dumps(w.test()) for _ in range(4))
    x = w.test()
    x["predicate"]["salt"] = "ab" * 15 + "a"
    short = dumps(x)
    x = w.test()
    x["predicate"]["salt"] = "AB" * 16
    upper = dumps(x)
    x = w.other()
    x["predicate"]["salt"] = "0" * 5001
    narrow = dumps(x)
    x = w.other()
    x["predicate"]["salt"] = "0" * 33
    beside = dumps(x)
    for p in (inner, nosalt, short, narrow, beside, upper):
        yield w.cand("life: seal", w.sealed(p), lab)
    target = w.log.size - 1
    yield w.cand("life: narrowed", w.accreditation(lab, "life", types=[rules.TEST]), c)
    yield w.cand("life: narrowed, a sealed record of a type lost", narrow, lab)
    yield w.cand("life: narrowed, a record of a type lost", w.other(), lab)
    s = w.accreditation(lab, "life", status="suspended", types=[])
    yield w.cand("life: suspended by another lab", s, w.labs["main"])
    yield w.cand("life: suspended with another lab", s, c, w.labs["main"])
    yield w.cand("life: suspended by itself", s, lab)
    yield w.cand("life: suspended, co-signed", s, c, lab)
    yield w.cand("life: used while suspended", w.test(), lab)
    yield w.cand("life: used with another while suspended", w.test(), lab, w.labs["main"])
    yield w.cand("life: revealed without salt", nosalt, lab)
    yield w.cand("life: revealed with a short salt", short, lab)
    yield w.cand("life: revealed with upper-case salt", upper, lab)
    yield w.cand("life: revealed", inner, lab)
    yield w.cand("life: revealed again", inner, lab)
    yield w.cand("life: revealed beside another signer", beside, lab, w.labs["main"])
    yield w.cand("life: correction by a suspended key", w.correction(target), lab)
    yield w.cand("life: correction by centre of its seal", w.correction(target), w.centre)
    second = w.new("ecdsa-p256-sha256")
    yield w.cand("life: second key of the party", w.accreditation(second, "life"), c, second)
    yield w.cand("life: second key corrects the first one's", w.correction(target), second)
    yield w.cand("life: another party corrects", w.correction(target), w.labs["main"])
    yield w.cand("life: previous stale", w.accreditation(lab, "life", previous=None), c)
    s = w.accreditation(lab, "life")
    s["predicate"]["previous"]["leafHash"] = "ab" * 32
    yield w.cand("life: previous of another leaf", s, c)
    s = w.accreditation(lab, "life")
    s["predicate"]["previous"]["extra"] = 5
    s["predicate"]["previous"]["leafhash"] = 5
    yield w.cand("life: previous in other case", s, c)
    for change in ({"party": "other"}, {"role": "vendor"}, {"role": "centre"}, {"scheme": "ecdsa-p256-sha256"}):
        s = w.accreditation(lab, "life")
        s["predicate"].update(change)
        yield w.cand(f"life: for ever {change}", s, c)
    old = w.accreditation(lab, "life")
    s = w.accreditation(lab, "life")
    s["predicate"]["previous"]["extra"] = 5
    yield w.cand("life: granted again, previous with more", s, w.recovery)
    yield w.cand("life: previous replayed", old, c)
    yield w.cand("life: used again", w.test(), lab)
    for i in range(17):
        yield w.cand("life: sealed 17 times", {**w.sealed(inner), "i": i}, second)
    yield w.cand("life: ended", w.accreditation(lab, "life", status="ended", types=None), c)
    yield w.cand("life: ended, granted again", w.accreditation(lab, "life"), c)
    yield w.cand("life: ended, ended again", w.accreditation(lab, "life", status="ended", types=[]), c)
    yield w.cand("life: ended, used", w.test(), lab)
    x = w.other()
    x["predicate"]["salt"] = "cd" * 16
    late = dumps(x)
    yield w.cand("seals: narrow second", w.accreditation(second, "life", types=[rules.SEALED]), c)
    for i in range(w.r.choice([15, 16])):
        yield w.cand("seals: before it is accredited", {**w.sealed(late), "i": i}, second)
    yield w.cand("seals: widen second", w.accreditation(second, "life"), c)
    yield w.cand("seals: the 16th or 17th", {**w.sealed(late), "i": 99}, second)
    yield w.cand("seals: suspend second", w.accreditation(second, "life", status="suspended"), c)
    yield w.cand("seals: reveal by the 16th or 17th", late, second)


class Walk:
    """A long life of a few keys, at random: right steps mostly, wrong ones now and then."""

    def __init__(self, w):
        self.w, self.r = w, w.r
        self.keys = []  # (signer, party, role)
        self.kept = []  # (payload, signers) that were sealed
        self.sent = []  # (payload, signers)

    def some(self, most=3):
        return [k for k, _, _ in self.r.sample(self.keys, min(len(self.keys), self.r.choice([1, 1, 1, most])))]

    def steps(self, count):
        for _ in range(6):
            yield self.grant_new()
        yield self.w.cand("walk: record", self.w.test(), self.w.labs["main"])
        for _ in range(count):
            make = self.r.choices([self.grant_new, self.accredit, self.record, self.seal, self.reveal, self.correct,
                                   self.resend, self.hand_over], [3, 22, 12, 14, 22, 18, 12, 1])[0]
            c = make()
            if c:
                yield c

    def signers(self, key):
        """Who signs an accreditation."""
        w, r = self.w, self.r
        right = [w.centre] if r.random() < 0.8 else [w.recovery] if r.random() < 0.7 else [w.centre, w.recovery]
        if r.random() < 0.08:
            right = r.sample([w.recovery, w.centre] + self.some(2), 2)
        return right + ([key] if r.random() < 0.5 else [])

    def current(self, what):
        """Follow whoever the log takes for the centre or the recovery key."""
        now = getattr(self.w.log, what)
        for k, _, _ in self.keys:
            if k.keyid == now:
                setattr(self.w, what, k)

    def types(self):
        pool = [rules.TEST, rules.SEALED, rules.CORRECTION, OTHER, rules.AUDIT, rules.RELEASE2]
        return pool if self.r.random() < 0.6 else self.r.sample(pool, self.r.randint(1, 4))

    def grant_new(self):
        w = self.w
        self.current("centre"), self.current("recovery")
        k = w.new(self.r.choice(["ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384"]))
        party = "walk" + self.r.choice("abc")
        self.keys.append((k, party, "lab"))
        return w.cand("walk: new key", w.accreditation(k, party, types=self.types()), w.centre, k)

    def accredit(self):
        w, r = self.w, self.r
        self.current("centre"), self.current("recovery")
        k, party, role = r.choice(self.keys + [(w.centre, "centre", "centre"), (w.recovery, "centre", "recovery")])
        status = r.choices(["granted", "suspended", "ended"], [20, 7, 1])[0]
        if role != "lab" and status != "granted" and r.random() < 0.8:
            status = "granted"
        types = None if role != "lab" else self.types() if status == "granted" or r.random() < 0.5 else []
        s = w.accreditation(k, party, role, status=status, types=types)
        if r.random() < 0.08:
            accs = [e for e in w.log.entries.values() if e.accreditation]
            e = r.choice(accs)
            s["predicate"]["previous"] = {"index": e.index, "leafHash": e.leaf.hex()}
        return w.cand(f"walk: {role} {status}", s, *(self.signers(k) if role != "recovery" or r.random() < 0.3 else [w.recovery]))

    def record(self):
        payload, who = dumps(self.r.choice([self.w.test, self.w.other, self.w.audit])()), self.some()
        self.sent.append((payload, who))
        return self.w.cand("walk: record", payload, *who)

    def seal(self):
        w, r = self.w, self.r
        if self.kept and r.random() < 0.4:
            payload, who = r.choice(self.kept)
        else:
            others = [i for i, e in w.log.entries.items() if not e.accreditation]
            s = r.choice([w.test, w.other, w.audit, w.release, w.sealed, lambda: w.correction(r.choice(others))])()
            if r.random() < 0.95:
                s["predicate"]["salt"] = "%032x" % r.getrandbits(128)
            payload, who = dumps(s), self.some()
            self.kept.append((payload, who))
        by = who if r.random() < 0.6 else [r.choice(who)] if r.random() < 0.8 else self.some()
        s = {**w.sealed(payload), "n": w.n}
        return w.cand("walk: seal", s, *by)

    def reveal(self):
        if not self.kept:
            return None
        payload, who = self.r.choice(self.kept[-12:])
        by = who if self.r.random() < 0.5 else self.r.sample(who, self.r.randint(1, len(who)))
        if self.r.random() < 0.15:
            by = list({k.keyid: k for k in by + self.some(1)}.values())
        self.sent.append((payload, by))
        return self.w.cand("walk: reveal", payload, *by)

    def correct(self):
        w, r = self.w, self.r
        every = list(w.log.entries)
        good = [i for i in every if not w.log.entries[i].accreditation]
        target = r.choice(good[-60:]) if r.random() < 0.95 else r.choice(every)
        swap = r.choice(good) if r.random() < 0.4 else None
        by = [w.centre] if r.random() < 0.15 else self.some(2) + ([w.centre] if r.random() < 0.1 else [])
        payload = dumps(w.correction(target, swap))
        self.sent.append((payload, by))
        return w.cand("walk: correction", payload, *by)

    def resend(self):
        if not self.sent:
            return None
        payload, who = self.r.choice(self.sent[-40:])
        by = who if self.r.random() < 0.4 else self.r.sample(who, self.r.randint(1, len(who)))
        if self.r.random() < 0.4:
            by = list({k.keyid: k for k in by + self.some(1)}.values())
        self.sent.append((payload, by))
        return self.w.cand("walk: resent", payload, *by, keyids=self.r.random() < 0.9)

    def hand_over(self):
        w, r = self.w, self.r
        self.current("centre"), self.current("recovery")
        role = r.choice(["centre", "recovery"])
        k = w.new()
        self.keys.append((getattr(w, role), "centre", role))
        by = [w.recovery] if role == "recovery" or r.random() < 0.5 else [w.centre]
        self.keys.append((k, "centre", role))
        return w.cand(f"walk: new {role} key", w.accreditation(k, "centre", role), *by, k)


def key_forms(w):
    k = w.new()
    yield "unpadded", k.spki.rstrip("=")
    yield "URL-safe", k.spki.replace("+", "-").replace("/", "_") if re.search("[+/]", k.spki) else k.spki + "="
    prefix = k.der[:12]
    for name, raw in (("neutral point", b"\1" + b"\0" * 31), ("order 2", b"\xec" + b"\xff" * 30 + b"\x7f"),
                      ("order 4", b"\0" * 32), ("y beyond p", b"\xee" + b"\xff" * 30 + b"\x7f"),
                      ("order 8", bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")),
                      ("not on the curve", b"\2" + b"\0" * 31)):
        yield "Ed25519 " + name, b64(prefix + raw)
    p = w.new("ecdsa-p256-sha256").private.public_key()
    yield "compressed", b64(k.der[:0] + bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") +
                            p.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint))
    yield "trailing byte", b64(k.der + b"\0")
    for curve in (ec.SECP256K1(), ec.SECP521R1()):
        yield curve.name, b64(ec.generate_private_key(curve).public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def correction_probes(w):
    main = w.labs["main"]
    yield w.cand("correction: a target", w.test(), main)
    yield w.cand("correction: another", w.test(), main)
    a, b = w.log.size - 2, w.log.size - 1
    acc = max(i for i, e in w.log.entries.items() if e.accreditation)

    def go(name, s, *signers):
        return w.cand("correction: " + name, s, *(signers or (main,)))
    yield go("accreditation as target", w.correction(acc))
    yield go("accreditation as target by centre", w.correction(acc), w.centre)
    yield go("accreditation as replacement", w.correction(a, acc))
    yield go("entry 0", w.correction(0), w.centre)
    yield go("itself", w.correction(w.log.size))
    yield go("beyond", w.correction(2 ** 40))
    yield go("replacement is the target", w.correction(a, a))
    yield go("replacement beyond", w.correction(a, w.log.size + 5))
    for m, vs in (("index", ["%d.0" % a, "%de0" % a, '"%d"' % a, "-1", "null", "9007199254740991", "-0", "1.5"]),
                  ("leafHash", ["null", '"%s"' % ("AB" * 32), '""', "5"]), ("Index", ["1"]), ("x", ["1"])):
        for where in ("target", "replacement"):
            for v in vs:
                s = w.correction(a, b)
                s["predicate"][where][m] = Raw(v)
                yield go(f"{where}.{m} {v[:20]}", s)
    for act, rep in (("withdraw", b), ("replace", None), ("withdraw", None), ("replace", b), ("Withdraw", None)):
        s = w.correction(a, rep)
        s["predicate"]["action"] = act
        yield go(f"{act} with replacement {rep is not None}", s)
    s = w.correction(a)
    s["predicate"]["replacement"] = Raw("null")
    yield go("withdraw with null replacement", s)
    for v in ("null", '""', '" "', '"%s"' % ("x" * 4097), "[]"):
        s = w.correction(a)
        s["predicate"]["reason"] = Raw(v)
        yield go(f"reason {v[:10]}", s)
    for d in ({"sha256": "ab" * 32}, {"sha512": "ab" * 64}, None):
        s = w.correction(a)
        if d:
            s["subject"] = [{"digest": d}]
        else:
            s["subject"] = s["subject"] * 2
        yield go(f"subject {d and list(d)}", s)
    s = w.correction(a)
    s["subject"][0]["digest"].update(sha1="x", gitTree="ab" * 20)
    yield go("weak digests beside", s)
    yield go("by another party", w.correction(a), w.labs["ecdsa-p256-sha256"])
    yield go("by another party and its own", w.correction(a), w.labs["ecdsa-p256-sha256"], main)
    yield go("by the centre", w.correction(a), w.centre)
    yield go("by the centre and another", w.correction(a), w.centre, w.labs["ecdsa-p256-sha256"])
    yield go("by the recovery key", w.correction(a), w.recovery)
    yield go("of a correction", w.correction(w.log.size - 1), w.centre)
    yield go("replaced by another party's entry", w.correction(a, w.log.size - 1))


def recovery_probes(w):
    """The centre and the recovery key change hands; ends in a state that works."""
    def go(name, s, *signers):
        return w.cand("centre: " + name, s, *signers)
    c, rec = w.centre, w.recovery
    yield go("audit event by centre", w.audit(), c)
    yield go("audit event by recovery", w.audit(), rec)
    s = w.accreditation(c, "centre", "centre")
    s["predicate"]["recovery"] = {"spki": rec.spki, "scheme": rec.scheme}
    yield go("recovery out of place", s, c)
    s = w.accreditation(c, "centre", "centre")
    if s["predicate"]["previous"]["index"] == 0:
        s["predicate"]["previous"]["index"] = Raw("-0")
        yield go("previous index -0", s, c)
        s = w.accreditation(c, "centre", "centre")
        s["predicate"]["previous"]["index"] = Raw("0.0")
        yield go("previous index 0.0", s, c)
    yield go("again, by itself", w.accreditation(c, "centre", "centre", admissionRules=rules.RULES), c)
    yield go("unknown rules", w.accreditation(c, "centre", "centre", admissionRules="urn:x:y"), c)
    yield go("without accreditation type", w.accreditation(c, "centre", "centre", types=[rules.AUDIT]), c)
    yield go("another party", w.accreditation(c, "other", "centre"), c)
    yield go("suspended, types empty", w.accreditation(c, "centre", "centre", status="suspended", types=[]), c)
    yield go("suspended signs", w.accreditation(w.new(), "px"), c)
    yield go("suspended grants itself", w.accreditation(c, "centre", "centre"), c)
    yield go("suspended, granted by recovery, co-signed", w.accreditation(c, "centre", "centre"), rec, c)
    yield go("by centre and recovery", w.accreditation(c, "centre", "centre"), rec, c)
    for types in ([rules.ACCREDITATION, rules.AUDIT], [rules.AUDIT], None):
        yield go(f"recovery granted {types}", w.accreditation(rec, "centre", "recovery", types=types), rec)
    yield go("audit event by recovery that lists it", w.audit(), rec)
    yield go("recovery by centre", w.accreditation(rec, "centre", "recovery"), c)
    yield go("recovery with admissionRules", w.accreditation(rec, "centre", "recovery", admissionRules=rules.RULES), rec)
    yield go("recovery suspended", w.accreditation(rec, "centre", "recovery", status="suspended"), rec)
    yield go("recovery with the centre", w.accreditation(rec, "centre", "recovery"), rec, c)
    rec2 = w.new("ecdsa-p256-sha256")
    yield go("successor of another party", w.accreditation(rec2, "other", "recovery"), rec, rec2)
    rec2 = w.new("ecdsa-p256-sha256")
    yield go("successor by the centre", w.accreditation(rec2, "centre", "recovery"), c, rec2)
    yield go("successor without possession", w.accreditation(rec2, "centre", "recovery"), rec)
    yield go("successor with centre", w.accreditation(rec2, "centre", "recovery"), rec, rec2, c)
    yield go("successor", w.accreditation(rec2, "centre", "recovery"), rec, rec2)
    w.recovery = next_key(w, "recovery", [rec2, rec])
    yield go("old recovery signs", w.accreditation(c, "centre", "centre"), rec)
    yield go("old recovery granted again", w.accreditation(rec, "centre", "recovery"), w.recovery)
    new = w.new(w.r.choice(["ed25519", "ecdsa-p384-sha384"]))
    yield go("new key of another party", w.accreditation(w.new(), "other", "centre"), c)
    yield go("new key suspended", w.accreditation(new, "centre", "centre", status="suspended"), c, new)
    yield go("new key alone", w.accreditation(new, "centre", "centre"), new)
    yield go("a lab's key as the centre's", w.accreditation(w.labs["main"], "centre", "centre"), c, w.labs["main"])
    yield go("new key by old", w.accreditation(new, "centre", "centre"), c, new)
    w.centre = next_key(w, "centre", [new, c])
    yield go("old key signs", w.accreditation(w.new(), "py"), c)
    yield go("old key's audit event", w.audit(), c)
    yield go("old key beside new", w.audit(), c, w.centre)
    yield go("old key granted again", w.accreditation(c, "centre", "centre"), w.centre)
    c = w.centre
    if w.r.random() < 0.5:
        yield go("ended", w.accreditation(c, "centre", "centre", status="ended", types=[]), c)
        yield go("ended, signs", w.accreditation(w.new(), "pz"), c)
    new = w.new()
    yield go("new key by recovery", w.accreditation(new, "centre", "centre"), w.recovery, new)
    w.centre = next_key(w, "centre", [new, c])
    k = w.new()
    yield go("new lab by the new centre", w.accreditation(k, "pq"), w.centre, k)
    if w.r.random() < 0.3:
        k = w.new()
        yield go("new lab with the centre's party's name", w.accreditation(k, "centre"), w.centre, k)
        yield go("lab of the centre's party corrects the centre's", w.correction(
            max(i for i, e in w.log.entries.items() if not e.accreditation)), k)


def next_key(w, what, keys):
    return next((k for k in keys if k.keyid == getattr(w.log, what)), keys[-1])


def begin_probes(w):
    """Entry 0 on an empty log: first what it must not be."""
    stranger = w.new()
    yield w.cand("begin: a record", w.test(), stranger)
    yield Candidate("begin: no envelope", b"{}")
    yield w.cand("begin: by the centre alone", w.entry0(), w.centre)
    yield w.cand("begin: by the recovery key alone", w.entry0(), w.recovery)
    yield w.cand("begin: no accreditation", w.audit(), w.centre, w.recovery)
    for m, v in (("log", '"x"'), ("role", '"lab"'), ("role", '"recovery"'), ("status", '"suspended"'), ("status", '"ended"'),
                 ("previous", '{"index":0,"leafHash":"%s"}' % ("ab" * 32)), ("admissionRules", "null"), ("admissionRules", '"x"'),
                 ("recovery", "null"), ("recovery", "{}"), ("predicateTypes", '["a:b"]'), ("predicateTypes", "[]"), ("party", '"X"')):
        s = w.entry0()
        s["predicate"][m] = Raw(v)
        yield w.cand(f"begin: {m} {v[:20]}", s, w.centre, w.recovery)
    s = w.entry0()
    s["predicate"]["recovery"] = {"spki": w.centre.spki, "scheme": w.centre.scheme}
    yield w.cand("begin: recovery is the centre's key", s, w.centre)
    s = w.entry0()
    s["predicate"]["recovery"]["Scheme"] = 1
    yield w.cand("begin: recovery in other case", s, w.centre, w.recovery)
    yield w.cand("begin: with a stranger", w.entry0(), stranger, w.centre, w.recovery)
    yield w.cand("begin: again", w.entry0(), w.centre, w.recovery)


def labs(w):
    for scheme in rules.SCHEMES:
        s = w.new(scheme)
        w.labs[scheme] = s
        yield w.cand(f"accredit {scheme}", w.accreditation(s, "lab-" + scheme.replace("_", "-")), w.centre, s)
    for name, more in (("main", {}), ("aliased", {"keyidAliases": ["alias/one", "two"]}), ("twin", {"keyidAliases": ["two"]})):
        s = w.new()
        w.labs[name] = s
        yield w.cand(f"accredit {name}", w.accreditation(s, name, **more), w.centre, s)


def trials(w):
    """More than 64 keys of one kind."""
    many = []
    for i in range(70):
        k = w.new()
        many.append(k)
        yield w.cand("trials: accredit", w.accreditation(k, f"many{i % 7}", types=[rules.TEST]), w.centre, k)
    for k in (many[0], many[40], many[-1], w.labs["main"]):
        s = dumps(w.test())
        yield w.cand("trials: without keyid", s, k, keyids=False)
        yield w.cand("trials: with keyid", s, k)
        yield w.cand("trials: resent without keyid", s, k, keyids=False)
        yield Candidate("trials: resent with a stranger's keyid", dumps(hint(w.envelope(s, [k]), ["ab" * 32])))
        yield Candidate("trials: ?key", dumps(w.envelope(w.test(), [k], False)), k.keyid)
    new = w.new()
    yield w.cand("trials: a new key with keyids", w.accreditation(new, "newest"), w.centre, new)
    new = w.new()
    yield Candidate("trials: a new key without keyid", dumps(hint(w.envelope(
        w.accreditation(new, "newest"), [w.centre, new]), [w.centre.keyid, None])))
    yield w.cand("trials: stranger with keyid beside", w.test(), w.labs["main"], w.new())
    yield w.cand("trials: p256 without keyid", w.test(), w.labs["ecdsa-p256-sha256"], keyids=False)


def interleave(r, streams):
    """One candidate from a stream chosen at random, until all are at their end."""
    streams = list(streams)
    while streams:
        s = r.choice(streams)
        c = next(s, None)
        if c is None:
            streams.remove(s)
        else:
            yield c


def candidates(w, total):
    made = 0
    for group in (begin_probes(w), labs(w)):
        for c in group:
            made += 1
            yield c
    streams = [statement_probes(w), value_probes(w), envelope_probes(w), mutations(w, 1500, False),
               mutations(w, 800, True)]
    blocks = [200, 2500]
    for c in interleave(w.r, streams):
        made += 1
        yield c
        # Probes that count on the order of entries run as a block.
        if blocks and made >= blocks[0]:
            blocks.pop(0)
            for block in (registry_probes(w), correction_probes(w), recovery_probes(w)):
                for d in block:
                    made += 1
                    yield d
    for c in Walk(w).steps(700):
        made += 1
        yield c
    for c in trials(w):
        made += 1
        yield c
    while made < total:
        for c in interleave(w.r, [mutations(w, 200, False), mutations(w, 200, True)]):
            made += 1
            yield c
