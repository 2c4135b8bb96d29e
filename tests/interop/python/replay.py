"""Read a whole records log over HTTP and replay every admission (records.py).

    replay.py --log URL --vkey FILE [--centre PEM] [--refused FOLDER | --verdicts | --standing]

Exits 0 if the checkpoint's signature and root hold, every entry is what admission would have made at
its index, and the same entries do not pass with one of them repeated, changed, or an accreditation that
later ones lean on left out. Each file in FOLDER is a submission and, in FILE.problem, the problem
type that the server gave as its reason: the same must come out here.

With --verdicts it does not stop at an entry that must not be there, but prints "INDEX RULE" for each,
goes on as if that had never counted, and exits 1 if there was one.

With --standing it prints "INDEX PARTY..." for each entry: for whom it stands in the end.
"""

import argparse
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
