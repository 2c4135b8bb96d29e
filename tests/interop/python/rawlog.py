#!/usr/bin/env python3
"""Read a tiled log with nothing but Python's library and the openssl command.

    rawlog.py --log URL --vkey FILE --record FILE --state DIR

Written from the specifications alone (RFC 6962, C2SP tlog-tiles, tlog-checkpoint, signed-note), it
shares no code with the server. FILE has one entry a line, in base64, in the order of the log: every
entry, its inclusion and the consistency with each checkpoint kept in DIR are checked.
"""

import argparse
import base64
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

WIDTH = 256
ED25519 = 1
# SubjectPublicKeyInfo of an Ed25519 key, up to its 32 bytes (RFC 8410).
SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")


class Refused(Exception):
    """The log does not hold."""


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(n):
    """The largest power of two below n (RFC 6962, 2.1)."""
    return 1 << (n - 1).bit_length() - 1


# --- checkpoints -----------------------------------------------------------------------------


class VerifierKey:
    """NAME+HASH+BASE64(TYPE || KEY) (C2SP signed-note)."""

    def __init__(self, text):
        self.name, key_id, key = text.strip().split("+", 2)
        data = base64.b64decode(key, validate=True)
        if data[0] != ED25519 or len(data) != 33:
            raise Refused("not an Ed25519 verifier key: " + text)
        self.key_id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        if self.key_id.hex() != key_id:
            raise Refused("the verifier key's hash is not its key's")
        self.key = data[1:]

    def verify(self, message, signature):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "key").write_bytes(SPKI_PREFIX + self.key)
            (folder / "message").write_bytes(message)
            (folder / "signature").write_bytes(signature)
            done = subprocess.run(
                ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin",
                 "-inkey", folder / "key", "-in", folder / "message",
                 "-sigfile", folder / "signature"],
                capture_output=True, check=False)
        return done.returncode == 0


class Checkpoint:
    def __init__(self, raw, key):
        text, _, signatures = raw.decode().rpartition("\n\n")
        text += "\n"
        lines = text.split("\n")
        if lines[0] != key.name or len(lines) < 4:
            raise Refused("no checkpoint of " + key.name)
        self.raw, self.size, self.root = raw, int(lines[1]), base64.b64decode(lines[2], validate=True)
        if str(self.size) != lines[1] or len(self.root) != 32:
            raise Refused("a malformed checkpoint: " + repr(text))
        for line in signatures.splitlines():
            dash, name, blob = line.split(" ")
            blob = base64.b64decode(blob, validate=True)
            if dash == "\u2014" and name == key.name and blob[:4] == key.key_id:
                if key.verify(text.encode(), blob[4:]):
                    return
                raise Refused("the checkpoint's signature does not verify")
        raise Refused("the checkpoint is not signed by " + key.name)


# --- tiles -----------------------------------------------------------------------------------


class Tiles:
    def __init__(self, url, size):
        self.url, self.size = url, size
        self.kept = {}

    def get(self, path):
        with urllib.request.urlopen(self.url + path) as answer:
            return answer.read()

    @staticmethod
    def path(level, n, width):
        parts = ["%03d" % (n % 1000)]
        while n >= 1000:
            n //= 1000
            parts.insert(0, "x%03d" % (n % 1000))
        partial = "" if width == WIDTH else ".p/%d" % width
        return "tile/%s/%s%s" % (level, "/".join(parts), partial)

    def width(self, level, n):
        """How many hashes of this tile exist in a tree of our size."""
        return min(WIDTH, (self.size >> 8 * level) - n * WIDTH)

    def node(self, height, index):
        """The root of the perfect subtree of 2^height leaves that starts at index * 2^height."""
        level, above = divmod(height, 8)
        n, at = divmod(index << above, WIDTH)
        if (level, n) not in self.kept:
            width = self.width(level, n)
            data = self.get(self.path(level, n, width))
            if len(data) != 32 * width:
                raise Refused("%s: %d bytes" % (self.path(level, n, width), len(data)))
            self.kept[level, n] = {0: [data[i:i + 32] for i in range(0, len(data), 32)]}
        rows = self.kept[level, n]
        for row in range(1, above + 1):
            if row not in rows:
                below = rows[row - 1]
                rows[row] = [node_hash(*below[i:i + 2]) for i in range(0, len(below) - 1, 2)]
        return rows[above][at >> above]

    def entries(self):
        for n in range((self.size + WIDTH - 1) // WIDTH):
            path = self.path("entries", n, self.width(0, n))
            data = self.get(path)
            for _ in range(self.width(0, n)):
                end = 2 + int.from_bytes(data[:2], "big")
                if len(data) < end:
                    raise Refused(path + " is cut short")
                yield data[2:end]
                data = data[end:]
            if data:
                raise Refused("%s: %d bytes too many" % (path, len(data)))

    def subtree(self, first, end):
        """MTH(D[first:end]) (RFC 6962, 2.1), where first is aligned to it."""
        size = end - first
        if size & (size - 1) == 0:
            height = size.bit_length() - 1
            return self.node(height, first >> height)
        k = split(size)
        return node_hash(self.subtree(first, first + k), self.subtree(first + k, end))


# --- proofs: made from tiles, verified by the RFC's own recursion -----------------------------


def inclusion_proof(tiles, m, first, end):
    """PATH(m, D[first:end]) (RFC 6962, 2.1.1)."""
    if end - first == 1:
        return []
    k = split(end - first)
    if m < k:
        return inclusion_proof(tiles, m, first, first + k) + [tiles.subtree(first + k, end)]
    return inclusion_proof(tiles, m - k, first + k, end) + [tiles.subtree(first, first + k)]


def root_from_inclusion(leaf, m, n, proof):
    if n == 1:
        if proof:
            raise Refused("an inclusion proof that is too long")
        return leaf
    if not proof:
        raise Refused("an inclusion proof that is too short")
    k = split(n)
    if m < k:
        return node_hash(root_from_inclusion(leaf, m, k, proof[:-1]), proof[-1])
    return node_hash(proof[-1], root_from_inclusion(leaf, m - k, n - k, proof[:-1]))


def consistency_proof(tiles, m, first, end, whole=True):
    """SUBPROOF(m, D[first:end], whole) (RFC 6962, 2.1.2)."""
    n = end - first
    if m == n:
        return [] if whole else [tiles.subtree(first, end)]
    k = split(n)
    if m <= k:
        return consistency_proof(tiles, m, first, first + k, whole) + [tiles.subtree(first + k, end)]
    return (consistency_proof(tiles, m - k, first + k, end, False) +
            [tiles.subtree(first, first + k)])


def roots_from_consistency(m, n, proof, old_root, whole=True):
    """The two roots (of m and of n leaves) that a consistency proof leads to."""
    if m == n:
        if whole:
            if proof:
                raise Refused("a consistency proof that is too long")
            return old_root, old_root
        if len(proof) != 1:
            raise Refused("a consistency proof of the wrong length")
        return proof[0], proof[0]
    if not proof:
        raise Refused("a consistency proof that is too short")
    k = split(n)
    if m <= k:
        old, new = roots_from_consistency(m, k, proof[:-1], old_root, whole)
        return old, node_hash(new, proof[-1])
    old, new = roots_from_consistency(m - k, n - k, proof[:-1], old_root, False)
    return node_hash(proof[-1], old), node_hash(proof[-1], new)


# --- the check -------------------------------------------------------------------------------


def check(url, key, wanted, state):
    with urllib.request.urlopen(url + "checkpoint") as answer:
        now = Checkpoint(answer.read(), key)
    if now.size != len(wanted):
        raise Refused("the checkpoint's size is %d, and %d entries were appended" %
                      (now.size, len(wanted)))
    tiles = Tiles(url, now.size)
    for i, (entry, want) in enumerate(zip(tiles.entries(), wanted, strict=True)):
        if entry != want:
            raise Refused("entry %d is not what was appended" % i)
    for i, entry in enumerate(wanted):
        proof = inclusion_proof(tiles, i, 0, now.size)
        if root_from_inclusion(leaf_hash(entry), i, now.size, proof) != now.root:
            raise Refused("entry %d is not included" % i)
    older = [Checkpoint(file.read_bytes(), key) for file in sorted(state.glob("checkpoint.*"))]
    for old in older:
        proof = consistency_proof(tiles, old.size, 0, now.size)
        if roots_from_consistency(old.size, now.size, proof, old.root) != (old.root, now.root):
            raise Refused("size %d is not consistent with size %d" % (now.size, old.size))
    state.mkdir(parents=True, exist_ok=True)
    (state / ("checkpoint.%d" % now.size)).write_bytes(now.raw)
    print("python: size %d: %d entries, %d inclusion proofs, %d consistency proofs" %
          (now.size, len(wanted), len(wanted), len(older)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    for option in ("--log", "--vkey", "--record", "--state"):
        parser.add_argument(option, required=True)
    given = parser.parse_args()
    wanted = [base64.b64decode(line, validate=True)
              for line in pathlib.Path(given.record).read_text(encoding="ascii").splitlines()]
    key = VerifierKey(pathlib.Path(given.vkey).read_text(encoding="utf-8"))
    try:
        check(given.log.rstrip("/") + "/", key, wanted, pathlib.Path(given.state))
    except (Refused, OSError, ValueError) as problem:
        print("rawlog.py: %s" % problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
