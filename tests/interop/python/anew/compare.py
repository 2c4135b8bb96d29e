"""Posts generated candidates to a log and compares each answer with the own verdict.

compare.py --program vitrine            makes and runs a log of its own, on loopback
compare.py --centre-pub FILE            writes the centre's public key for `vitrine init`, and ends
compare.py --log URL                    uses a log that is empty and was made with that key
"""
import argparse
import base64
import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from urllib.parse import urlsplit

import generate
import rules

HERE = os.path.dirname(os.path.abspath(__file__))

class Client:
    def __init__(self, url):
        self.at = urlsplit(url)
        self.conn = http.client.HTTPConnection(self.at.hostname, self.at.port, timeout=60)

    def ask(self, method, path, body=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        for again in (True, False):
            try:
                self.conn.request(method, path, body, headers)
                r = self.conn.getresponse()
                return r.status, r.read()
            except (http.client.HTTPException, OSError):
                self.conn.close()
                if not again:
                    raise

    def get(self, path):
        status, data = self.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {data[:200]!r}")
        return data


class Answer:
    """The log's answer, in the words of a Verdict."""

    def __init__(self, status, data):
        self.status = status
        try:
            self.json = json.loads(data)
        except ValueError:
            self.json = {}
        self.kind = {201: "admitted", 200: "known"}.get(status, "refused" if 400 <= status < 500 else "broken")
        self.name = str(self.json.get("type", "")).replace("urn:vitrine:problem:", "")
        self.detail = self.json.get("detail", "")
        self.index, self.leaf = self.json.get("index"), self.json.get("leafHash")

    def __repr__(self):
        return f"{self.status} {self.name} {self.detail}".strip()


def force(log, data):
    """Take an entry that the log has kept though the own verdict is another."""
    e = json.loads(data)
    payload = base64.b64decode(e["payload"])
    try:
        statement = rules.Statement(payload)
    except rules.Refused:
        value = json.loads(payload)
        statement = rules.Statement.__new__(rules.Statement)
        statement.type, statement.predicate, statement.digests = value["predicateType"], value.get("predicate") or {}, []
    entry = rules.Entry(log.size, data, payload, sorted(s["keyid"] for s in e["signatures"]), statement, None)
    if statement.type == rules.ACCREDITATION:
        p = statement.predicate
        a = rules.Accreditation.__new__(rules.Accreditation)
        a.log, a.party, a.role, a.status = p["log"], p["party"], p["role"], p["status"]
        a.key, a.types, a.aliases = rules.load_key(p["spki"], p["scheme"]), p.get("predicateTypes") or [], p.get("keyidAliases") or []
        a.recovery, a.previous = None, p["previous"]
        entry.accreditation = a
    else:
        for k in entry.signers:
            reg = log.keys[k].at(entry.index)
            if reg[1] != "granted" or statement.type not in reg[2]:
                seal = log._seal(entry, k)
                if seal is not None:
                    entry.reveals[k] = seal
    log._append(entry)


def page_statuses(page):
    with open(page, encoding="utf-8") as f:
        return {m[1]: int(m[2]) for m in re.finditer(r"^\| `([a-z0-9-]+)` \| (\d{3}) \|", f.read(), re.M)}


class Run:
    def __init__(self, args, client, world):
        self.args, self.client, self.world = args, client, world
        self.counts, self.names = Counter(), Counter()
        self.examples = {}
        self.statuses = page_statuses(args.page)

    def differ(self, kind, cand, own, theirs, body=b""):
        self.counts["DIFFERENCES"] += 1
        print(f"DIFFERENCE {kind} | {cand} | own: {own} | log: {theirs}")
        if body:
            print("   " + describe(body))
        sys.stdout.flush()

    def one(self, c):
        log = self.world.log
        start = time.time()
        own = log.judge(c.body, c.key)
        self.counts["own seconds x1000"] += int(1000 * (time.time() - start))
        path = "/api/v1/entries" + (f"?key={c.key}" if c.key else "")
        theirs = Answer(*self.client.ask("POST", path, c.body))
        self.counts["candidates"] += 1
        self.counts[own.kind] += 1
        if theirs.kind == "refused" and theirs.name in self.statuses and self.statuses[theirs.name] != theirs.status:
            self.differ("status", c.name, self.statuses[theirs.name], theirs)
        if theirs.kind == "refused" and theirs.name not in self.statuses:
            self.differ("problem that the page does not name", c.name, own, theirs, c.body)
        if own.kind != theirs.kind:
            self.differ("verdict", c.name, own, theirs, c.body)
        elif own.kind == "refused" and own.name != theirs.name:
            self.counts["refused under another name"] += 1
            pair = f"own {own.name}, log {theirs.name}"
            self.names[pair] += 1
            self.examples.setdefault(pair, f"{c.name[:70]} ({theirs.detail[:70]})")
        elif own.kind == "known" and own.index != theirs.index:
            self.differ("known index", c.name, own.index, theirs.index, c.body)
        elif own.kind == "admitted" and (own.index, own.entry.leaf.hex()) != (theirs.index, theirs.leaf):
            self.differ("kept entry", c.name, f"{own.index} {own.entry.leaf.hex()}", f"{theirs.index} {theirs.leaf}", c.body)
        if theirs.kind in ("admitted", "known"):
            self.dropped(c, theirs)
        if theirs.kind != "admitted":
            return
        if own.kind == "admitted" and own.entry.leaf.hex() == theirs.leaf:
            log._append(own.entry)
        else:
            data = json.loads(self.client.get(f"/api/v1/entries/{theirs.index}"))["entry"]
            force(log, base64.b64decode(data))

    def dropped(self, c, theirs):
        """droppedSignatures: every signature by a key that is not among the entry's signers."""
        listed = theirs.json.get("droppedSignatures")
        data = rules.Envelope(c.body)
        self.counts["answers with droppedSignatures"] += bool(listed)
        for d in listed or []:
            if not isinstance(d, dict):
                self.counts["droppedSignatures of another shape"] += 1
                continue
            place = next((v for v in d.values() if isinstance(v, int)), None)
            if place is None or not 0 <= place < len(data.signatures):
                self.differ("droppedSignatures", c.name, "a place in the envelope", d)

    # Reading back

    def read_back(self):
        log = self.world.log
        note = self.client.get("/checkpoint").decode()
        lines = note.split("\n")
        origin, size, root = lines[0], int(lines[1]), base64.b64decode(lines[2])
        if origin != self.world.origin or size != log.size:
            self.differ("checkpoint", "read back", f"{self.world.origin} {log.size}", f"{origin} {size}")
        entries = self.bundles(size)
        for i, data in enumerate(entries):
            own = log.entries.get(i)
            if own is None or own.data != data:
                self.differ("entry", f"read back {i}", own and own.data[:80], data[:80])
        self.tree = Tree([rules.leaf_hash(e) for e in entries])
        if self.tree.root(size) != root:
            self.differ("root", "read back", self.tree.root(size).hex(), root.hex())
        self.hash_tiles(size)
        self.counts["entries read back"] = len(entries)
        self.replay(entries)

    def bundles(self, size):
        out = []
        for n in range((size + 255) // 256):
            width = min(256, size - 256 * n)
            data = self.client.get(f"/tile/entries/{n:03d}" + (f".p/{width}" if width < 256 else ""))
            at, count = 0, 0
            while at < len(data):
                length = int.from_bytes(data[at:at + 2], "big")
                out.append(data[at + 2:at + 2 + length])
                at, count = at + 2 + length, count + 1
            if count != width:
                self.differ("bundle", f"tile {n}", width, count)
        return out

    def hash_tiles(self, size):
        for n in range((size + 255) // 256):
            width = min(256, size - 256 * n)
            data = self.client.get(f"/tile/0/{n:03d}" + (f".p/{width}" if width < 256 else ""))
            if data != b"".join(self.tree.leaves[256 * n:256 * n + width]):
                self.differ("tile", f"tile 0/{n}", "the leaf hashes", "others")

    def replay(self, entries):
        """All entries once more, from nothing."""
        log = rules.Log(self.world.origin)
        for i, data in enumerate(entries):
            try:
                log.append_entry(data)
            except rules.Refused as r:
                self.differ("replay", f"entry {i}", r, "kept", data)
                force(log, data)

    def proofs(self):
        log = self.world.log
        for i in sorted(log.entries):
            self.counts["proofs"] += 1
            text = self.client.get(f"/api/v1/entries/{i}/tlog-proof").decode()
            head, _, note = text.partition("\n\n")
            lines = head.split("\n")
            extra = [x for x in lines if x.startswith("extra ")]
            size = int(note.split("\n")[1])
            root = base64.b64decode(note.split("\n")[2])
            own = rules.make_extra(log, i, lambda k: self.tree.path(k, size))
            if not extra:
                self.counts["proofs without extra"] += 1
                if len(own) <= 48 * 1024:
                    self.differ("extra left out", f"proof of {i}", f"{len(own)} bytes of JSON", "no extra line")
                continue
            data = base64.b64decode(extra[0][6:])
            if len(data) > 48 * 1024:
                self.differ("extra kept", f"proof of {i}", "left out", f"{len(data)} bytes of JSON")
            if data != own:
                carried = [s["index"] for s in json.loads(data)["support"]]
                wanted = sorted(rules.support_set(log, i))
                if carried != wanted:
                    self.differ("support", f"proof of {i} ({log.entries[i].statement.type})", wanted, carried)
                else:
                    self.differ("extra bytes", f"proof of {i}", own[:200], data[:200])
            try:
                rules.judge_extra(extra[0][6:], i, size, root, log.entries[i].data)
                self.counts["proofs that hold"] += 1
            except rules.Refused as r:
                self.differ("proof", f"proof of {i} ({log.entries[i].statement.type})", r, "handed out")

    def mutated_proofs(self, program, vkey, most):
        """Extra lines with one change each: does `vitrine verify` judge as judge_extra does?"""
        log, r = self.world.log, self.world.r
        with tempfile.TemporaryDirectory() as d:
            with open(f"{d}/policy", "w") as f:
                f.write(f"log {vkey}\nquorum none\n")
            many = [i for i in log.entries if len(rules.support_set(log, i)) > 1]
            for n in range(most):
                i = r.choice(many)
                text = self.client.get(f"/api/v1/entries/{i}/tlog-proof").decode()
                found = re.search(r"^extra (\S+)$", text, re.M)
                if not found:
                    continue
                size = int(text.partition("\n\n")[2].split("\n")[1])
                what, line = self.change(json.loads(base64.b64decode(found[1])), i, size)
                try:
                    rules.judge_extra(line, i, size, self.tree.root(size), log.entries[i].data)
                    own = "holds"
                except rules.Refused as e:
                    own = str(e)
                with open(f"{d}/p.tlog-proof", "w") as f:
                    f.write(text.replace(found[1], line))
                done = subprocess.run([program, "verify", "--policy", f"{d}/policy", f"{d}/p.tlog-proof"],
                                      capture_output=True, text=True)
                self.counts["changed proofs: " + what.split()[0]] += 1
                self.counts["changed proofs that hold"] += done.returncode == 0
                if (own == "holds") != (done.returncode == 0):
                    self.differ("changed proof", f"{i} ({log.entries[i].statement.type}): {what}", own,
                                f"exit {done.returncode} {(done.stderr + done.stdout)[:300]!r}")

    def change(self, value, index, size):
        """(what was changed, the extra line)"""
        log, r, support = self.world.log, self.world.r, value["support"]
        what = r.choice(["none", "dropped", "dropped", "dropped", "added", "added", "swapped", "twice", "proof", "space", "member", "entry"])
        at = r.randrange(len(support))
        if what == "dropped":
            what += f" {support.pop(at)['index']} of {[s['index'] for s in support]}"
        elif what == "added":
            left = [i for i in range(index) if i not in [s["index"] for s in support]]
            if left:
                i = r.choice(left)
                accs = [k for k in left if log.entries[k].accreditation]
                i = r.choice(accs) if accs and r.random() < 0.7 else i
                support.append({"index": i, "entry": json.loads(log.entries[i].data),
                                "proof": [rules.to_base64(h) for h in self.tree.path(i, size)]})
                support.sort(key=lambda s: s["index"])
                what += f" {i}"
        elif what == "swapped":
            support.insert(0, support.pop())
        elif what == "twice":
            support.insert(at, support[at])
        elif what == "proof":
            support[at]["proof"] = support[at]["proof"][1:]
        elif what == "member":
            value["x"] = 1
        elif what == "entry":
            support[at]["entry"] = value["entry"]
        text = json.dumps(value) if what == "space" else json.dumps(value, separators=(",", ":"))
        return what, rules.to_base64(text.encode())

    def summary(self):
        print("\nRefused by both, under different names (no part of the rules):")
        for text, n in self.names.most_common():
            print(f"  {n:4} {text}: e.g. {self.examples[text]}")
        print("\nCounts:")
        for k, n in sorted(self.counts.items()):
            print(f"  {k}: {n}")


class Tree:
    """RFC 9162's hash tree over a list of leaves."""

    def __init__(self, leaves):
        self.leaves, self.memo = leaves, {}

    def span(self, a, b):
        if b - a == 1:
            return self.leaves[a]
        if (a, b) not in self.memo:
            k = a + (1 << ((b - a - 1).bit_length() - 1))
            self.memo[a, b] = hashlib.sha256(b"\1" + self.span(a, k) + self.span(k, b)).digest()
        return self.memo[a, b]

    def root(self, size):
        return self.span(0, size)

    def path(self, index, size):
        out, a, b = [], 0, size
        while b - a > 1:
            k = a + (1 << ((b - a - 1).bit_length() - 1))
            out.append(self.span(k, b) if index < k else self.span(a, k))
            a, b = (a, k) if index < k else (k, b)
        return out[::-1]


def describe(body):
    try:
        e = json.loads(body)
        payload = base64.b64decode(e["payload"])
        return f"payload {payload[:700].decode('utf-8', 'replace')!r} signatures {str(e['signatures'])[:300]}"
    except Exception:
        return repr(body[:300])


def start_log(args, world):
    """A new log in a folder of its own; its process and URL."""
    d = tempfile.mkdtemp(prefix="vitrine-anew.")
    with open(f"{d}/centre.pub", "wb") as f:
        f.write(world.centre.pem())
    common = ["--data", f"{d}/log", "--origin", args.origin, "--centre", f"{d}/centre.pub"]
    args.vkey = subprocess.run([args.program, "init", *common, "--new-key", f"{d}/log.pem"], check=True,
                               capture_output=True, text=True).stdout.split()[0]
    p = subprocess.Popen([args.program, "serve", *common, "--key", f"{d}/log.pem", "--listen", "127.0.0.1:0",
                          "--rate", "0", "--read-rate", "0"], stdout=subprocess.PIPE, stderr=open(f"{d}/err", "w"), text=True)
    for line in p.stdout:
        m = re.search(r"http://\S+", line)
        if m:
            return p, m[0]
    raise SystemExit("the log did not start: " + open(f"{d}/err").read())


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--log")
    a.add_argument("--program")
    a.add_argument("--centre-pub")
    a.add_argument("--origin", default="example.com/log")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--count", type=int, default=6000, help="at least so many candidates")
    a.add_argument("--stop-after", type=int, default=0, help="end the posting after so many")
    a.add_argument("--changed-proofs", type=int, default=200, help="with --program: proofs to change and verify")
    a.add_argument("--keys", default=os.path.join(tempfile.gettempdir(), "vitrine-anew-keys"), help="where RSA keys are kept between runs")
    a.add_argument("--page", default=os.path.join(HERE, "../../../../docs/records.md"))
    args = a.parse_args()
    world = generate.World(args.seed, args.origin, args.keys)
    if args.centre_pub:
        with open(args.centre_pub, "wb") as f:
            f.write(world.centre.pem())
        return 0
    process = None
    if args.program:
        process, args.log = start_log(args, world)
    run = Run(args, Client(args.log), world)
    try:
        for c in generate.candidates(world, args.count):
            run.one(c)
            if args.stop_after and run.counts["candidates"] >= args.stop_after:
                break
        run.read_back()
        run.proofs()
        if args.program:
            run.mutated_proofs(args.program, args.vkey, args.changed_proofs)
    finally:
        run.summary()
        if process:
            process.terminate()
            process.wait()
    return 1 if run.counts["DIFFERENCES"] else 0


if __name__ == "__main__":
    sys.exit(main())
