#!/usr/bin/env python3
"""tests/interop/proxied.py DIRECT PROXY... [--prefix URL]: asks all that a log of either mode answers to a reader, by way of each
proxy and then of the log itself, in every form that a client may ask for, and compares. With --prefix, references are followed
below that URL."""
import gzip
import http.client
import json
import re
import sys
from urllib.parse import urljoin, urlsplit

SAME = ("Content-Type", "Cache-Control", "Link", "X-Content-Type-Options", "Access-Control-Allow-Origin", "Allow")
connections = {}
faults = 0
answers = 0


def ask(base, path, method="GET", **fields):
    """Status, fields and body, as they came."""
    global answers
    answers += 1
    parts = urlsplit(base)
    for attempt in range(2):  # an idle connection may have been closed
        known = parts.netloc in connections
        c = connections.setdefault(parts.netloc, http.client.HTTPConnection(parts.netloc, timeout=60))
        try:
            c.putrequest(method, parts.path + path, skip_accept_encoding=True)
            for name, value in fields.items():
                if value is not None:
                    c.putheader(name.replace("_", "-"), value)
            c.endheaders()
            r = c.getresponse()
            return r.status, r.headers, r.read()
        except (http.client.HTTPException, ConnectionError):
            del connections[parts.netloc]
            if attempt or not known:
                raise


def fault(*words):
    global faults
    faults += 1
    print("FAULT:", *words)


def plain(headers, body):
    return gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" and body else body


# Of whichever form: varnish asks for gzip, unpacks it for who takes none, and keeps the tag.
def opaque(tag):
    return tag and tag.removeprefix("W/").replace('-gzip"', '"')


def compare(direct, proxy, path, accept, coding):
    fields = {"Accept": accept, "Accept_Encoding": coding}
    where = f"{proxy}{path} Accept={accept} Accept-Encoding={coding}:"
    passed = ask(proxy, path, **fields)
    head = ask(proxy, path, "HEAD", **fields)
    again = ask(proxy, path, **fields)
    status, own, body = ask(direct, path, **fields)
    body = plain(own, body)
    for name, (s, h, b) in (("first", passed), ("HEAD", head), ("again", again)):
        if s != status:
            fault(where, name, "status", s, "for", status)
            continue
        for field in SAME:
            if h.get_all(field) != own.get_all(field):
                fault(where, name, field, h.get_all(field), "for", own.get_all(field))
        if h.get("ETag") and opaque(h["ETag"]) != opaque(own.get("ETag")):
            fault(where, name, "ETag", h["ETag"], "for", own.get("ETag"))
        if h.get("Content-Encoding") not in (None, "gzip"):
            fault(where, name, "Content-Encoding", h["Content-Encoding"])
        if h.get("Content-Encoding") and coding != "gzip":
            fault(where, name, "gzip for a client that did not ask")
        if name == "HEAD":
            if b:
                fault(where, name, "has a body")
        elif plain(h, b) != body:
            fault(where, name, f"another body: {plain(h, b)[:80]!r} for {body[:80]!r}")
    tag = passed[1].get("ETag")
    if status == 200 and tag:
        s, h, b = ask(proxy, path, If_None_Match=tag, **fields)
        if s == 304 and (b or opaque(h.get("ETag", tag)) != opaque(tag)):
            fault(where, "304 with", h.get("ETag"), b[:80])
        elif s not in (200, 304) or (s == 200 and plain(h, b) != body):
            fault(where, "If-None-Match:", s)
        s, h, b = ask(proxy, path, If_None_Match='"another"', **fields)
        if s != 200 or plain(h, b) != body:
            fault(where, "If-None-Match of another:", s)


def tile_number(n):
    groups = [f"{n % 1000:03}"]
    while n >= 1000:
        n //= 1000
        groups.insert(0, f"x{n % 1000:03}")
    return "/".join(groups)


def tiles(size):
    """Those that there are, and those that come next: a cache must not remember that they were missing."""
    for level in ("0", "1", "2", "entries"):
        n = size >> 8 * int(level) if level.isdigit() else size
        whole, part = divmod(n, 256)
        for i in {0, max(whole - 1, 0), whole, whole + 1}:
            yield f"/tile/{level}/{tile_number(i)}"
            for width in {1, part, part + 1, 255} - {0, 256}:
                yield f"/tile/{level}/{tile_number(i)}.p/{width}"


def paths(size, leaf, raw):
    indexes = {0, 1, size // 2, size - 1, size}
    yield from ("/", "/checkpoint", "/checkpoint?x=1", "/openapi.yaml", "/feed.atom", "/nothing", "/healthz")
    yield from tiles(size)
    for i in indexes:
        for tail in ("", "/proof", f"/proof?size={size}", f"/proof?size={size + 1}", "/tlog-proof"):
            yield f"/api/v1/entries/{i}{tail}"
        yield f"/api/v1/consistency?first={i}&second={size}"
        yield f"/api/v1/tree-heads?size={i}"
    yield f"/api/v1/consistency?first=1&second={size + 1}"
    yield "/api/v1/tree-heads"
    yield "/api/v1/tree-heads?after=1&limit=2"
    yield f"/api/v1/leaves/{leaf}"
    yield f"/api/v1/leaves/{'00' * 32}"
    yield "/gossip/v1/tree-heads"
    yield "/gossip/v1/evidence"
    yield "/add"
    for path in ("/api/v1/entries", "/api/v1/entries?limit=2", "/api/v1/parties", "/api/v1/parties?limit=1",
                 "/api/v1/parties/lab-1", "/api/v1/parties/nobody"):
        yield path


def read_all(direct, proxies):
    size = int(ask(direct, "/checkpoint")[2].split(b"\n")[1])
    status, headers, body = ask(direct, "/api/v1/entries/0", Accept="application/json")
    leaf = json.loads(body)["leafHash"] if status == 200 else "11" * 32
    for path in paths(size, leaf, True):
        negotiated = re.fullmatch("/api/v1/entries/[0-9]+", path)
        for accept in (None, "application/octet-stream", "application/json", "text/plain, */*;q=0.5",
                       "application/octet-stream;q=0.5, application/json") if negotiated else (None,):
            for coding in (None, "gzip", "identity") if re.match("/tile/|/api/v1/entries", path) else (None, "gzip"):
                for proxy in proxies:
                    compare(direct, proxy, path, accept, coding)
    return size


def requests(direct):
    return int(re.search(rb"^vitrine_http_requests_total ([0-9]+)", ask(direct, "/metrics")[2], re.M)[1])


def caches(direct, proxy, path):
    """Does it keep anything at all? Otherwise nothing of this was a test."""
    ask(proxy, path)
    before = requests(direct)
    for _ in range(5):
        ask(proxy, path)
    if requests(direct) - before > 1:
        fault(proxy, path, "is asked for again and again")


def follow(direct, prefix):
    """Each reference in an answer leads to the same below the prefix as without."""
    found = 0
    for path in ("/api/v1/entries?limit=1", "/api/v1/parties?limit=1", "/api/v1/tree-heads?limit=1", "/feed.atom",
                 "/feed.atom?limit=1"):
        status, headers, body = ask(prefix, path)
        if status != 200:
            continue
        links = re.findall(r"<([^>]*)>", headers.get("Link", ""))
        if path.startswith("/feed"):
            links += [x.replace("&amp;", "&") for x in re.findall(r'href="([^"]*)"', body.decode())]
        for link in links:
            target = urljoin(prefix + path, link)
            if not target.startswith(prefix + "/"):
                fault(prefix + path, "leads out of the prefix:", target)
                continue
            found += 1
            if ask(prefix, target[len(prefix):])[::2] != ask(direct, target[len(prefix):])[::2]:
                fault(prefix + path, "does not lead where it does without:", target)
    if found < 4:
        fault(prefix, "only", found, "references were found")


direct, *rest = sys.argv[1:]
if rest and rest[0] == "--prefix":
    follow(direct, rest[1])
    print(f"references below {rest[1]}")
else:
    size = read_all(direct, rest)
    for proxy in rest:
        caches(direct, proxy, "/tile/0/000" if size >= 256 else f"/tile/0/000.p/{size}")
    print(f"size {size}: {answers} answers compared")
sys.exit(1 if faults else 0)
