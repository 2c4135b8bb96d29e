"""mutated.py --log URL --origin NAME --centre PEM --seed S [--count N]: do two implementations agree?

Appends N good statements to a log in records mode, each with one to three things changed at random, and
holds the server's answer against the independent one (records.py): taken or known, at that index, with
that leaf hash, or refused for the same reason. The differences and the seed stand at the end. PEM is
the private key (Ed25519) of the log's centre.
"""

import argparse
import base64
import collections
import copy
import json
import pathlib
import random
import sys

from cryptography.hazmat.primitives.serialization import load_pem_private_key

import records
from forced import (
    ACCREDITATION, AUDIT_EVENT, CORRECTION, OTHER, RELEASE_V01, RELEASE_V02, SEALED, TEST_RESULT, Party,
    Story, Told, assessment, correction, entry_of, event, firmware, leaf_of, post, release, serial,
    statement, verdict)

EVERYTHING = [TEST_RESULT, SEALED, CORRECTION, OTHER, RELEASE_V02, RELEASE_V01, AUDIT_EVENT]

WORDS = ["PASSED", "FAILED", "granted", "suspended", "ended", "withdraw", "replace", "control", "monitor",
         "success/partial", "success/", "success", "failure/x/y", "unknown ", "lab-1", "lab_2.x", "-lab",
         "Lab", "centre", "recovery", "ed25519", "ecdsa-p256-sha256"]
DIGITS = ["0" * 64, "a" * 63, "A" * 64, "0" * 40, "0" * 128]
TIMES = [
    "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456789012Z", "2026-01-02T03:04:05+23:59",
    "2026-01-02T03:04:05-00:00", "2026-01-02T03:04:05+24:00", "2026-06-30T23:59:60Z",
    "2026-07-01T00:59:60+01:00", "2026-06-29T23:59:60Z", "2016-12-31T18:59:60-05:00",
    "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "0000-02-29T00:00:00Z", "9999-12-31T23:59:60Z",
    "9999-12-31T23:59:59-01:00", "2026-01-02t03:04:05Z", "2026-01-02T03:04:05z", "2026-01-02T3:04:05Z",
    "2026-01-02T03:04:05.Z", "2026-01-02T03:04Z", "1969-06-30T23:59:60Z", "2026-01-02T08:00:00.25Z", "2026-01-02T24:00:00Z", "2026-13-01T00:00:00Z",
    "\uff12026-01-02T03:04:05Z", "0001-01-01T00:00:00+23:59"]
PURLS = [
    "pkg:npm/foo@1", "pkg:npm/%40a/b@1.0", "pkg:npm/@a/b@1", "pkg:npm/foo", "pkg:npm/foo@", "pkg:/npm/foo@1",
    "PKG:npm/foo@1", "pkg:npm@1", "pkg:npm/@1", "pkg:1npm/foo@1", "pkg:n_m/foo@1", "pkg:npm/foo@1?a=b#c",
    "pkg:npm/foo?x=@1", "pkg:npm/foo#@1", "pkg:npm/a/@1", "pkg:npm//foo@1", "pkg:npm/foo@1@2",
    "pkg:npm/foo@1/", "pkg:npm/foo bar@1", "pkg:npm/foo@%", "pkg:+/x@1", "pkg:npm/a@b/c"]
URIS = [
    *EVERYTHING, ACCREDITATION, "https://in-toto.io/Statement/v0.1", "urn:x:y", "URN:x", "http://\u00e9",
    "https://a.b/c?d#e", "mailto:a@b", "a.b+c-d:x", "1a:x", "a:", "a:%zz", "a:<", 'a:"', "a:\\", "a:^",
    "a:`", "a:{", "a:|", "a:\x7f", "a:[", "a:b c", "A:b", "urn:" + "a" * 251, "urn:" + "a" * 252]
KINDS = [WORDS, DIGITS, TIMES, PURLS, URIS]
TEXTS = [
    "", "a", "a" * 64, "a" * 4096, "a" * 4097, "\u00e9" * 2048, "\u00e9" * 2049, "\0", "a\0b", "\U0001f600",
    "\uffff", *(text for kind in KINDS for text in kind)]
NUMBERS = [0, 1, -1, 2**53 - 1, 2**53, 1 - 2**53, -(2**53), 2**53 + 1, 0.5, -0.0, 1e15, float(2**53 - 1),
           float(2**53), 1e300, 1.0, True, False, None]
MEMBERS = ["url", "reason", "attachments", "assessment", "salt", "firmware", "packageId", "releaseId",
           "passedTests", "warnedTests", "failedTests", "embargoUntil", "replacement", "initiatorId",
           "targetId", "observerId", "received", "deviations", "name", "uri", "digest", "mediaType",
           "content", "validUntil", "keyidAliases", "admissionRules", "recovery", "subject", "extra",
           "downloadLocation", "suit", "hardwareRevisions", "location", "accreditation", "sha256", "sha1",
           "sha512", "gitCommit", "index", "leafHash", "id", "typeURI", "reasonCode", "\0"]
NEW_KEYS = 40  # a log with more keys of a kind than 64 asks for a hint


class Mutator:
    def __init__(self, seed, refs):
        self.random, self.refs = random.Random(seed), refs

    def value(self, depth=0):
        kind = self.random.random()
        if kind < 0.5:
            return self.random.choice(TEXTS)
        if kind < 0.7:
            return self.random.choice(NUMBERS)
        if kind < 0.8:
            return [self.value(depth + 1) for _ in range(self.random.randrange(3) if depth < 2 else 0)]
        if kind < 0.9:
            return {self.random.choice(MEMBERS): self.value(depth + 1)
                    for _ in range(self.random.randrange(3) if depth < 2 else 0)}
        return copy.deepcopy(self.random.choice([
            *self.refs[-3:], {"sha256": serial()}, {"sha1": "0" * 40}, {"gitCommit": "0" * 40},
            {"gitCommit": "0" * 64}, {"sha256": "0" * 64, "md5": 7}, {"digest": {"sha256": "0" * 64}},
            {"uri": "x"}, {"content": 7}, {"uri": None}, [{"uri": "urn:x"}], ["a"] * 3, ["a" * 5000]]))

    def change(self, value):
        value = copy.deepcopy(value)
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            places = list(paths(value))
            inside = [p for p in places if p[0] == "predicate" and len(p) > 1]
            path = self.random.choice(inside if inside and self.random.random() < 0.85 else places)
            parent, kind = at(value, path[:-1]), self.random.random()
            if kind < 0.15:
                del parent[path[-1]]
            elif kind < 0.35:
                objects = [()] + [p for p in places if isinstance(at(value, p), dict)]
                at(value, self.random.choice(objects))[self.random.choice(MEMBERS)] = self.value()
            elif kind < 0.38 and isinstance(parent, dict):
                name = self.other_case(path[-1])
                parent[name] = parent.pop(path[-1]) if self.random.random() < 0.5 else self.value()
            elif kind < 0.43 and isinstance(parent, list):
                parent.append(copy.deepcopy(parent[path[-1]]))
            else:
                parent[path[-1]] = self.similar(parent[path[-1]])
        return value

    def other_case(self, name):
        at = self.random.randrange(len(name)) if name else 0
        return name[:at] + name[at:at + 1].swapcase() + name[at + 1:] if self.random.random() < 0.7 else \
            name.replace("s", "\u017f").replace("k", "\u212a")

    def similar(self, value):
        """Often another text of the same kind: what is nearly right finds more."""
        if not isinstance(value, str) or self.random.random() < 0.4:
            return self.value()
        kind = (TIMES if value[:2] == "20" else PURLS if value[:4] == "pkg:" else
                URIS if ":" in value else DIGITS if len(value) > 39 else WORDS)
        return self.random.choice(kind)


def paths(value, path=()):
    items = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield (*path, step)
        yield from paths(item, (*path, step))


def at(value, path):
    for step in path:
        value = value[step]
    return value


class Comparison:
    def __init__(self, url, origin, centre, seed):
        self.url, self.second = url, records.Log(origin)
        self.story = Story(Told(), origin, centre)
        self.second.centre = self.story.centre.spki
        self.verdicts, self.differences, self.refs, self.new_keys = collections.Counter(), [], [], 0
        self.mutator = Mutator(seed, self.refs)
        self.random = self.mutator.random
        self.labs = [Party("lab-%d" % i, "lab", "ed25519") for i in (1, 2)]
        self.send(entry_of(self.story.zero(), self.story.centre, self.story.recovery))
        for lab in self.labs:
            self.send(entry_of(self.story.accreditation(lab, EVERYTHING), self.story.centre, lab))
            lab.newest = self.refs[-1]

    def bases(self):
        """(a good statement, who signs)"""
        lab, other = self.labs
        some, another = (dict(self.random.choice(self.refs)) for _ in range(2))
        yield verdict("FAILED", url="https://x/y", passedTests=["a"], failedTests=["b"],
                      assessment=assessment()), (lab,)
        yield verdict(assessment=assessment()), (lab, other)
        yield release(firmware=firmware(), packageId="x"), (lab,)
        yield release(RELEASE_V01, releaseId="x"), (lab,)
        yield event(eventType="control", reason={"reasonCode": "x"},
                    attachments=[{"digest": {"sha256": serial()}}]), (lab,)
        yield event(), (other,)
        yield correction(some), (lab,)
        yield correction(some, action="replace", replacement=another), (other,)
        yield statement(SEALED, {"embargoUntil": "2027-01-01T00:00:00Z", "reason": "x"}), (lab,)
        yield statement(OTHER, {"a": 1}), (lab,)
        centre, recovery = self.story.centre, self.story.recovery
        if self.new_keys < NEW_KEYS:
            fresh = Party("lab-9", "lab", "ed25519")
            yield self.story.accreditation(
                fresh, (TEST_RESULT,), keyidAliases=["a"], validUntil="2027-01-01T00:00:00Z"), \
                self.random.choice([(centre,), (centre, fresh), (recovery, fresh), (fresh,), (lab, fresh)])
        yield self.story.accreditation(other, EVERYTHING), (centre,)

    def again(self):
        """A statement that is in the log, signed by one of those who may have signed it, or by both."""
        statement = self.second.statements[self.random.randrange(len(self.refs))]
        if statement.type != ACCREDITATION:
            self.send(entry_of(statement.payload, *self.random.choice(
                [self.labs, self.labs[:1], self.labs[1:]])))

    def step(self):
        if self.random.random() < 0.05:
            self.again()
        good, signers = self.random.choice(list(self.bases()))
        changed = self.mutator.change(good)
        payload = json.dumps(changed, ensure_ascii=self.random.random() < 0.5).encode()
        if self.send(entry_of(payload, *signers)) and changed["predicateType"] == ACCREDITATION:
            self.new_keys += signers[-1] not in (self.story.centre, *self.labs)
            for lab in self.labs:
                if self.second.keys[lab.keyid].history[-1][0] == len(self.refs) - 1:
                    lab.newest = self.refs[-1]
            if self.second.keys[self.labs[1].keyid].history[-1][2] != "granted":
                self.replace_lab()

    def replace_lab(self):
        self.labs[1] = Party("lab-2", "lab", "ed25519")
        self.new_keys += 1
        self.send(entry_of(self.story.accreditation(self.labs[1], EVERYTHING), self.story.centre,
                           self.labs[1]))
        self.labs[1].newest = self.refs[-1]

    def send(self, entry):
        """To both. True: it was taken."""
        try:
            made = self.second.admit(entry)[0]
            ours = 201, len(self.refs), leaf_of(made)
        except records.Problem as problem:
            ours = problem.slug
            if problem.index is not None:
                ours = 200, problem.index, self.second.leaves[problem.index]
        status, answer = post(self.url + "api/v1/entries", entry)
        answer = json.loads(answer)
        if status in (200, 201):
            theirs = status, answer["index"], answer["leafHash"]
        else:
            theirs = answer.get("type", "").removeprefix("urn:vitrine:problem:")
        self.verdicts[{201: "taken", 200: "known"}.get(status, theirs)] += 1
        if ours != theirs:
            self.differences.append("%r here, %r by the server (%s): %s" % (
                ours, theirs, answer.get("detail"), base64.b64decode(json.loads(entry)["payload"])[:2000]))
        if status != 201 or ours != theirs:
            return False
        self.second.replay(made)
        self.refs.append({"index": len(self.refs), "leafHash": ours[2]})
        return True


def main():
    parser = argparse.ArgumentParser()
    for option in ("--log", "--origin", "--centre"):
        parser.add_argument(option, required=True)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    centre = load_pem_private_key(pathlib.Path(given.centre).read_bytes(), None)
    comparison = Comparison(given.log.rstrip("/") + "/", given.origin, centre, given.seed)
    for _ in range(given.count):
        comparison.step()
        if len(comparison.differences) > 5:
            break
    verdicts = comparison.verdicts
    for difference in comparison.differences:
        print("mutated.py: " + difference)
    print("mutated.py: seed %d: %d taken, %d known, %d refused for %d reasons, %d differences" % (
        given.seed, verdicts["taken"], verdicts["known"],
        verdicts.total() - verdicts["taken"] - verdicts["known"], len(verdicts) - 2,
        len(comparison.differences)))
    # A comparison in which hardly anything is taken, known or refused would show little.
    enough = verdicts["taken"] > given.count // 10 and verdicts["known"] > 20 and len(verdicts) > 30
    return 0 if enough and not comparison.differences else 1


if __name__ == "__main__":
    sys.exit(main())
