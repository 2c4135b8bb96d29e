"""Read a whole records log over HTTP and replay every admission (records.py).

    replay.py --log URL --vkey FILE [--centre PEM] [--refused FOLDER | --verdicts | --standing | --proofs]

Exits 0 if the checkpoint's signature and root hold, every entry is what admission would have made at
its index, and the same entries do not pass with one of them repeated, changed, or an accreditation that
later ones lean on left out. Each file in FOLDER is a submission and, in FILE.problem, the problem
type that the server gave as its reason: the same must come out here.

With --verdicts it does not stop at an entry that must not be there, but prints "INDEX RULE" for each,
goes on as if that had never counted, and exits 1 if there was one.

With --proofs it takes the proofs that the log hands out for its newest entries, and holds what is in their
`extra` lines against the rules. With one entry left out or changed, or another centre, they must not hold.

With --standing it prints "INDEX PARTY..." for each entry: for whom it stands in the end.
"""

import argparse
import base64
import json
import pathlib
import sys

from cryptography.hazmat.primitives import serialization

import rawlog
import records


def read_log(url, vkey):
    key = rawlog.VerifierKey(pathlib.Path(vkey).read_text(encoding="utf-8"))
    with rawlog.urllib.request.urlopen(url + "checkpoint") as answer:
        checkpoint = rawlog.Checkpoint(answer.read(), key)
    tiles = rawlog.Tiles(url, checkpoint.size)
    entries = list(tiles.entries())
    if root(entries) != checkpoint.root:
        raise rawlog.Refused("the entries do not make the checkpoint's root")
    return key.name, entries


def root(entries):
    """MTH (RFC 6962, 2.1) from the entries alone."""
    nodes = [rawlog.leaf_hash(entry) for entry in entries]

    def subtree(first, end):
        if end - first == 1:
            return nodes[first]
        k = rawlog.split(end - first)
        return rawlog.node_hash(subtree(first, first + k), subtree(first + k, end))

    return subtree(0, len(nodes))


def replay(origin, centre, entries):
    """The log that they make; the index and the reason of the first that is not admissible."""
    log = records.Log(origin, centre)
    for index, entry in enumerate(entries):
        try:
            log.replay(entry)
        except records.Problem as problem:
            return log, (index, problem)
    return log, None


def print_verdicts(origin, centre, entries):
    log, refused = records.Log(origin, centre), 0
    for index, entry in enumerate(entries):
        if index > 0 and refused == index:  # entry 0 makes no registry, so there is nothing to judge by
            print("replay: nothing is judged without entry 0", file=sys.stderr)
            return 1
        try:
            log.replay(entry)
        except records.Problem as problem:
            log.pass_over(entry)
            refused += 1
            print("%d %s" % (index, problem.slug))
            print("replay: entry %d: %s" % (index, problem), file=sys.stderr)
    print("replay: %d entries, %d of them admissible" % (len(entries), len(entries) - refused),
          file=sys.stderr)
    return 1 if refused else 0


def print_standing(log, refused):
    for index in range(len(log.entries)):
        print(index, *sorted(log.standing(index)))
    return 1 if refused else 0


PROOFS = 150


def check_proofs(url, vkey, centre, log):
    """Of the newest entries. Corrections of corrections apart, every one has room for what carries it."""
    key = rawlog.VerifierKey(pathlib.Path(vkey).read_text(encoding="utf-8"))
    wrong = held = without = 0
    for index in range(max(0, len(log.entries) - PROOFS), len(log.entries)):
        with rawlog.urllib.request.urlopen("%sapi/v1/entries/%d/tlog-proof" % (url, index)) as answer:
            proof, _, note = answer.read().partition(b"\n\n")
        checkpoint = rawlog.Checkpoint(note, key)
        lines = [line.split(" ") for line in proof.decode().split("\n")]
        extra = next((base64.b64decode(line[1]) for line in lines if line[0] == "extra"), None)
        if extra is None:
            without += 1
            wrong |= log.statements[index].type != records.CORRECTION and len(log.entries[index]) < 30000
            continue

        def included(at, entry, path):
            return at < checkpoint.size and rawlog.root_from_inclusion(
                rawlog.leaf_hash(entry), at, checkpoint.size, path) == checkpoint.root

        if records.verify_extra(key.name, centre, extra, index, included) != log.entries[index]:
            wrong = 1
        held += 1
        for name, others, whose in false_extras(log, extra, centre):
            try:
                records.verify_extra(key.name, whose, json.dumps(others).encode(), index, included)
            except (records.Problem, rawlog.Refused):
                continue
            print("replay: the proof of entry %d holds with %s" % (index, name), file=sys.stderr)
            wrong = 1
    print("replay: %d proofs hold, %d have no room for what carries them" % (held, without))
    return wrong or held == 0


def false_extras(log, extra, centre):
    value = json.loads(extra)
    support = value["support"]
    yield "another centre", value, next(key.key.spki for key in log.keys.values() if key.key.spki != centre)
    for i, one in enumerate(support):
        rest = support[:i] + support[i + 1:]
        yield "entry %d at another index" % one["index"], {
            **value, "support": support[:i] + [{**one, "index": one["index"] + 1}] + support[i + 1:]}, centre
        if one["index"] == 0:
            yield "entry 0 left out", {**value, "support": rest}, centre


def disturbed(log, entries):
    """The same log with something amiss, each with a name."""
    for i, statement in enumerate(log.statements):
        if statement.type != records.ACCREDITATION:
            continue
        key = records.Claim(statement).key.id
        yield "entry %d left out" % i, i, entries[:i] + entries[i + 1:], leans_on(log, i, key)
    for i in range(len(entries)):
        yield "entry %d twice" % i, i, entries[:i + 1] + entries[i:], True
        changed = entries[i].replace(b'"payload":"ey', b'"payload":"eX', 1)
        yield "entry %d changed" % i, i, entries[:i] + [changed] + entries[i + 1:], True
        spaced = entries[i].replace(b',"payloadType"', b', "payloadType"', 1)
        yield "entry %d not canonical" % i, i, entries[:i] + [spaced] + entries[i + 1:], True


def leans_on(log, index, key):
    """Would an entry after this accreditation of a key not be admissible without it?"""
    return any(key in log.signers[i] or
               statement.type == records.ACCREDITATION and records.Claim(statement).key.id == key
               for i, statement in enumerate(log.statements) if i > index)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--vkey", required=True)
    parser.add_argument("--centre")
    parser.add_argument("--refused")
    parser.add_argument("--verdicts", action="store_true")
    parser.add_argument("--standing", action="store_true")
    parser.add_argument("--proofs", action="store_true")
    given = parser.parse_args()
    centre = None
    if given.centre:
        centre = serialization.load_pem_public_key(pathlib.Path(given.centre).read_bytes()).public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    origin, entries = read_log(given.log.rstrip("/") + "/", given.vkey)
    if given.verdicts:
        return print_verdicts(origin, centre, entries)
    if given.standing:
        return print_standing(*replay(origin, centre, entries))
    log, fault = replay(origin, centre, entries)
    if fault:
        print("replay: entry %d is not admissible: %s" % fault, file=sys.stderr)
        return 1
    print("replay: %d entries, each admissible at its index" % len(entries))
    if given.proofs:
        return check_proofs(given.log.rstrip("/") + "/", given.vkey, centre, log)
    return check_refused(log, given.refused) + check_disturbed(log, origin, centre, entries)


def check_disturbed(log, origin, centre, entries):
    wrong = tried = 0
    for name, at_least, others, must_fail in disturbed(log, entries):
        _, fault = replay(origin, centre, others)
        tried += must_fail
        if must_fail and (fault is None or fault[0] < at_least):
            print("replay: with %s: %s" % (name, fault or "accepted"), file=sys.stderr)
            wrong = 1
    print("replay: %d disturbed logs refused" % tried)
    return wrong


def check_refused(log, folder):
    """At the log's end, where the submissions were made."""
    wrong = seen = 0
    for file in sorted(pathlib.Path(folder).glob("*.problem")) if folder else ():
        theirs = file.read_text(encoding="ascii").strip().removeprefix("urn:vitrine:problem:")
        try:
            log.admit(file.with_suffix("").read_bytes())
            ours = "admissible"
        except records.Problem as problem:
            ours = problem.slug
        seen += 1
        if ours != theirs:
            print("replay: %s: %s here, %s by the server" % (file.stem, ours, theirs), file=sys.stderr)
            wrong = 1
    if folder:
        print("replay: %d refusals, each for the same reason" % seen)
        wrong |= seen == 0
    return wrong


if __name__ == "__main__":
    sys.exit(main())
