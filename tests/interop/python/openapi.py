"""Hold api/openapi.yaml against itself, and the answers of running servers against it.

    openapi.py FILE                     the document alone: OpenAPI 3.1, every example fits its schema
    openapi.py FILE --records URL --raw URL --witness URL --party ID --refused ENVELOPE --forked HEAD

The second also asks both logs, one in each mode, and a witness of the raw one, for everything that the document has, and fails
if an operation was never answered with success, or if a status, a media type, a header or a body is
not what the document says. The records log holds at least one entry that is not an accreditation;
ID is a party of it, ENVELOPE a file with a record that it does not take, and HEAD one with a
checkpoint that the raw log's key signed for another history: after it the raw log is frozen.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree

import yaml
import feedparser
import sseclient
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate as validate_document
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCUMENT = "urn:openapi"


def pointer(*parts):
    return "#/" + "/".join(str(p).replace("~", "~0").replace("/", "~1") for p in parts)


class Document:
    def __init__(self, file):
        self.root = yaml.safe_load(pathlib.Path(file).read_text(encoding="utf-8"))
        resource = Resource.from_contents(self.root, default_specification=DRAFT202012)
        self.registry = Registry().with_resource(DOCUMENT, resource)
        self.operations = {}
        for path, item in self.root["paths"].items():
            for method, operation in item.items():
                if method in ("get", "post", "put", "delete"):
                    self.operations[operation["operationId"]] = (path, method, operation)

    def at(self, *parts):
        """What stands there, and where it really stands if that is a $ref."""
        value = self.root
        for part in parts:
            value = value[part]
        if isinstance(value, dict) and "$ref" in value:
            parts = [p.replace("~1", "/").replace("~0", "~")
                     for p in value["$ref"].removeprefix("#/").split("/")]
            return self.at(*parts)
        return value, parts

    def errors(self, value, *schema_parts):
        validator = Draft202012Validator({"$ref": DOCUMENT + pointer(*schema_parts)},
                                         registry=self.registry, format_checker=FormatChecker())
        return ["%s: %.300s" % (error.json_path, error.message) for error in validator.iter_errors(value)]

    def check_examples(self):
        """Every `example` and `examples` of the document against the schema beside it."""
        problems, seen = [], 0

        def walk(value, parts):
            nonlocal seen
            if isinstance(value, list):
                for i, item in enumerate(value):
                    walk(item, (*parts, i))
            if not isinstance(value, dict):
                return
            beside = (*parts, "schema") if "schema" in value else parts
            examples = []
            if "example" in value:
                examples.append(value["example"])
            if isinstance(value.get("examples"), list):
                examples.extend(value["examples"])
            elif isinstance(value.get("examples"), dict) and "schema" in value:
                examples.extend(e["value"] for e in value["examples"].values())
            for example in examples:
                seen += 1
                problems.extend("example at %s: %.300s" % (pointer(*parts), error)
                                for error in self.errors(example, *beside))
            for name, item in value.items():
                if name not in ("example", "examples"):
                    walk(item, (*parts, name))

        walk(self.root, ())
        if not seen:
            problems.append("no examples found")
        print("openapi: %d examples" % seen)
        return problems


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Asker:
    def __init__(self, document):
        self.document = document
        self.opener = urllib.request.build_opener(NoRedirect)
        self.problems, self.succeeded, self.refused, self.asked = [], set(), set(), 0

    def ask(self, operation_id, url, *, status, path=None, query=None, headers=None, body=None,
            head=False):
        """Ask, and hold the answer against the document. Returns the decoded body and headers."""
        template, method, _ = self.document.operations[operation_id]
        where = path or template
        if query:
            where += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(url.rstrip("/") + where, data=body, headers=headers or {},
                                         method="HEAD" if head else method.upper())
        try:
            with self.opener.open(request, timeout=60) as answer:
                code, got, data = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            code, got, data = answer.code, answer.headers, answer.read()
        self.asked += 1
        what = "%s %s" % (request.get_method(), where)
        if code != status:
            self.problems.append("%s: %d, expected %d: %r" % (what, code, status, data[:300]))
            return None, got
        (self.succeeded if code < 400 else self.refused).add(operation_id)
        return self.hold(what, template, method, code, got, data, head), got

    def hold(self, what, template, method, code, got, data, head):
        responses = ("paths", template, method, "responses")
        _, at = self.document.at(*responses)
        known = self.document.root["paths"][template][method]["responses"]
        key = str(code) if str(code) in known else "default"
        if key == "default" and code < 400:
            self.problems.append("%s: %d is not in the document" % (what, code))
            return None
        response, at = self.document.at(*responses, key)
        for name in response.get("headers", {}):
            _, header_at = self.document.at(*at, "headers", name)
            if got.get(name) is not None:
                self.problems.extend(
                    "%s: header %s: %s" % (what, name, error)
                    for error in self.document.errors(got[name], *header_at, "schema"))
            elif name in ("ETag", "Location"):
                self.problems.append("%s: no header %s" % (what, name))
        if got.get("Access-Control-Allow-Origin") != "*" and method == "get":
            self.problems.append("%s: no Access-Control-Allow-Origin" % what)
        if "content" not in response or head:
            if data:
                self.problems.append("%s: a body of %d bytes, expected none" % (what, len(data)))
            return None
        media = got.get("Content-Type", "").split(";")[0].strip()
        if media not in response["content"]:
            self.problems.append("%s: %d as %r, not in the document" % (what, code, media))
            return None
        schema_at = (*at, "content", media, "schema")
        schema, _ = self.document.at(*schema_at)
        if schema.get("format") == "binary":
            return data
        value = json.loads(data) if media.endswith("json") else data.decode()
        self.problems.extend("%s: %d %s: %s" % (what, code, media, error)
                             for error in self.document.errors(value, *schema_at))
        return value


def ask_standard(asker, url):
    """What both modes have."""
    asker.ask("index", url, status=200)
    asker.ask("healthz", url, status=200)
    asker.ask("readyz", url, status=200)
    asker.ask("metrics", url, status=200)
    document, _ = asker.ask("openapi", url, status=200)
    if document is not None and yaml.safe_load(document) != asker.document.root:
        asker.problems.append("GET /openapi.yaml is not this document")
    checkpoint, headers = asker.ask("getCheckpoint", url, status=200)
    asker.ask("getCheckpoint", url, status=200, head=True)
    asker.ask("getCheckpoint", url, status=304, headers={"If-None-Match": headers["ETag"]})
    size = int(checkpoint.split("\n")[1])
    width = min(size, 256)
    partial = "" if width == 256 else ".p/%d" % width
    for kind in ("0", "entries"):
        path = "/tile/%s/000%s" % (kind, partial)
        _, headers = asker.ask("getTile", url, status=200, path=path)
        asker.ask("getTile", url, status=200, path=path, head=True)
        asker.ask("getTile", url, status=304, path=path, headers={"If-None-Match": headers["ETag"]})
        asker.ask("getTile", url, status=404, path="/tile/%s/x999/x999/999" % kind)
    asker.ask("getTile", url, status=404, path="/tile/64/000")

    asker.ask("getEntry", url, status=404, path="/api/v1/entries/%d" % size)
    entry, _ = asker.ask("getEntry", url, status=200, path="/api/v1/entries/0")
    asker.ask("getEntry", url, status=200, path="/api/v1/entries/0",
              headers={"Accept": "application/octet-stream"})
    proof = "/api/v1/entries/0/proof"
    asker.ask("getEntryProof", url, status=200, path=proof)
    asker.ask("getEntryProof", url, status=200, path=proof, query={"size": 1})
    asker.ask("getEntryProof", url, status=404, path="/api/v1/entries/%d/proof" % size)
    asker.ask("getEntryProof", url, status=400, path=proof, query={"size": "many"})
    asker.ask("getEntryTlogProof", url, status=200, path="/api/v1/entries/0/tlog-proof")
    asker.ask("getEntryTlogProof", url, status=404, path="/api/v1/entries/%d/tlog-proof" % size)
    asker.ask("getLeaf", url, status=200, path="/api/v1/leaves/" + entry["leafHash"])
    asker.ask("getLeaf", url, status=404, path="/api/v1/leaves/" + "0" * 64)
    asker.ask("getLeaf", url, status=400, path="/api/v1/leaves/nothex")
    asker.ask("getConsistency", url, status=200, query={"first": 1, "second": size})
    asker.ask("getConsistency", url, status=400, query={"first": 1})
    asker.ask("getConsistency", url, status=400, query={"first": 2, "second": 1})
    heads, _ = asker.ask("listTreeHeads", url, status=200)
    asker.ask("listTreeHeads", url, status=200, query={"limit": 1})
    asker.ask("listTreeHeads", url, status=200, query={"at": heads["treeHeads"][-1]["time"]})
    asker.ask("listTreeHeads", url, status=400, query={"limit": 1001})
    first, _ = asker.ask("listTreeHeads", url, status=200, query={"size": 1})
    if first["treeHeads"] != [h for h in heads["treeHeads"] if h["treeSize"] >= 1][:1]:
        asker.problems.append("tree-heads?size=1 is not the first one that covers it")
    beyond, _ = asker.ask("listTreeHeads", url, status=200, query={"size": size + 1})
    if beyond["treeHeads"]:
        asker.problems.append("there is a tree head beyond what is published")
    asker.ask("listTreeHeads", url, status=400, query={"size": 1, "after": 1})
    ask_events(asker, url, size)
    ask_feed(asker, url, size)
    return size


def listen(asker, url, size, query=None, headers=None):
    """The events from there to the tree head of this size, as somebody else's client reads them."""
    where = url + "/api/v1/events" + ("?" + urllib.parse.urlencode(query) if query else "")
    events = []
    request = urllib.request.Request(where, headers=headers or {})
    with asker.opener.open(request, timeout=60) as stream:
        for event in sseclient.SSEClient(stream).events():
            data = json.loads(event.data)
            schema = {"entry": "EntryEvent", "tree-head": "TreeHead"}[event.event]
            asker.problems.extend(
                "GET %s: %s: %s" % (where, event.id, error)
                for error in asker.document.errors(data, "components", "schemas", schema))
            place = "e%d" % data["index"] if event.event == "entry" else "h%d" % data["treeSize"]
            if event.id != place:
                asker.problems.append("GET %s: id %s of %s" % (where, event.id, place))
            events.append((event.id, data))
            if event.id == "h%d" % size:
                break
    asker.succeeded.add("streamEvents")
    return events


def ask_events(asker, url, size):
    everything = listen(asker, url, size, {"last-event-id": "h0"})
    entries = [data["index"] for place, data in everything if place[0] == "e"]
    if entries != list(range(size)):
        asker.problems.append("events: entries %r of %d" % (entries, size))
    newest = listen(asker, url, size)
    if [place for place, _ in newest] != ["h%d" % size]:
        asker.problems.append("events: a new subscriber hears %r first" % newest)
    half = (len(everything) - 1) // 2
    middle = everything[half][0]
    rest = listen(asker, url, size, headers={"Last-Event-ID": middle})
    after = [place for place, _ in everything[half + 1:] if place[0] == "e"]
    if [place for place, _ in rest if place[0] == "e"] != after:
        asker.problems.append("events: behind %s come %r" % (middle, rest))
    asker.ask("streamEvents", url, status=200, head=True)
    asker.ask("streamEvents", url, status=400, query={"last-event-id": "7"})
    asker.ask("streamEvents", url, status=400, query={"colour": "red"})
    asker.ask("streamEvents", url, status=404, headers={"Last-Event-ID": "h%d" % (size + 1)})


def read_feed(asker, url, query=None):
    """One page: what two parsers say of it."""
    atom = "{http://www.w3.org/2005/Atom}"
    text, headers = asker.ask("getFeed", url, status=200, query=query)
    root = xml.etree.ElementTree.fromstring(text)
    parsed = feedparser.parse(text.encode(), response_headers={"content-type": "application/atom+xml"})
    if parsed.bozo or parsed.version != "atom10":
        asker.problems.append("feed %r: %r" % (query, parsed.get("bozo_exception")))
    # RFC 4287, sections 4.1.1 and 4.1.2: what a feed and an entry must have, once.
    for element in [root, *root.findall(atom + "entry")]:
        for name in ("id", "title", "updated"):
            if len(element.findall(atom + name)) != 1:
                asker.problems.append("feed: %s of %s" % (name, element.tag))
    for entry in root.findall(atom + "entry"):
        if not [e for e in entry.findall(atom + "link") if e.get("rel") == "alternate"]:
            asker.problems.append("feed: an entry without content has no alternate link")
    asker.ask("getFeed", url, status=304, query=query, headers={"If-None-Match": headers["ETag"]})
    return parsed, headers


def ask_feed(asker, url, size):
    feed, _ = read_feed(asker, url)
    ids = [entry.id for entry in feed.entries]
    if len(set(ids)) != size or not ids[0].endswith(":%d" % (size - 1)):
        asker.problems.append("feed: entries %r of %d" % (ids, size))
    for entry in feed.entries:
        [link] = [link for link in entry.links if link.rel == "alternate"]
        asker.ask("getEntry", url, status=200, path="/" + link.href)
    page, headers = read_feed(asker, url, {"limit": 1})
    paged = [entry.id for entry in page.entries]
    while "Link" in headers:
        link = headers["Link"].split(">")[0].lstrip("<")
        query = dict(urllib.parse.parse_qsl(link.partition("?")[2]))
        page, headers = read_feed(asker, url, query)
        paged += [entry.id for entry in page.entries]
    if paged != ids:
        asker.problems.append("feed: pages of one give %r, not %r" % (paged, ids))
    asker.ask("getFeed", url, status=400, query={"limit": 201})
    asker.ask("getFeed", url, status=400, query={"colour": "red"})


def ask_records(asker, url, party, refused):
    size = ask_standard(asker, url)
    last, _ = asker.ask("getEntry", url, status=200, path="/api/v1/entries/%d" % (size - 1))
    record = last["record"]
    found, _ = asker.ask("searchEntries", url, status=200,
                         query={"type": record["predicateType"], "limit": 1})
    if not found["entries"]:
        asker.problems.append("search by type does not find the newest entry's type")
    subject = record["statement"]["subject"][0]["digest"]["sha256"]
    for query in ({}, {"subject": "sha256:" + subject}, {"subject": subject}, {"party": party},
                  {"result": "PASSED"}, {"after": 1, "limit": 1000}, {"order": "desc", "before": 2},
                  {"subject": "SHA256:" + subject.upper(), "type": "verdict", "party": party.upper(),
                   "result": "passed"}):
        asker.ask("searchEntries", url, status=200, query=query)
    for query in ({"limit": 0}, {"limit": 1001}, {"colour": "red"}, {"order": "up"}, {"before": 0},
                  {"after": 3, "before": 3}, {"party": "nobody-of-this-name"}):
        asker.ask("searchEntries", url, status=400, query=query)
    for query in ({"subject": "bios.bin"}, {"subject": subject[1:]}, {"subject": "md5:" + subject[:32]},
                  {"result": "GOOD"}, {"type": "verdicts"}, {"type": "firmware", "result": "PASSED"},
                  {"party": "lab 1"}, {"party": ""}):
        asker.ask("searchEntries", url, status=400, query=query)
        asker.ask("streamEvents", url, status=400, query=query)
        asker.ask("getFeed", url, status=400, query=query)
    upwards, downwards = [], []
    for order, found in (("asc", upwards), ("desc", downwards)):
        query = {"order": order, "limit": 1}
        while query is not None:
            page, headers = asker.ask("searchEntries", url, status=200, query=query)
            found += [entry["index"] for entry in page["entries"]]
            link = headers.get("Link", "").split(">")[0].partition("?")[2]
            query = dict(urllib.parse.parse_qsl(link)) or None
    if upwards != list(range(size)) or downwards != upwards[::-1]:
        asker.problems.append("search: pages of one give %r and %r" % (upwards, downwards))
    passed, _ = asker.ask("searchEntries", url, status=200, query={"result": "PASSED"})
    passed = [entry["index"] for entry in passed["entries"]]
    heard = listen(asker, url, size, {"last-event-id": "h0", "result": "PASSED"})
    if [data["index"] for place, data in heard if place[0] == "e"] != passed:
        asker.problems.append("events: PASSED are %r, the search says %r" % (heard, passed))
    feed, _ = read_feed(asker, url, {"result": "PASSED"})
    if [int(entry.id.rpartition(":")[2]) for entry in feed.entries] != passed[::-1]:
        asker.problems.append("feed: PASSED are not %r" % passed)
    asker.ask("listParties", url, status=200)
    parties, after = [], 0
    while after is not None:
        page, _ = asker.ask("listParties", url, status=200, query={"after": after, "limit": 1})
        parties += [p["party"] for p in page["parties"]]
        after = page.get("next")
    if party not in parties or len(set(parties)) != len(parties):
        asker.problems.append("the pages of /parties do not show each party once: %r" % parties)
    for query in ({"limit": 0}, {"limit": 1001}, {"after": -1}):
        asker.ask("listParties", url, status=400, query=query)
    asker.ask("getParty", url, status=200, path="/api/v1/parties/" + urllib.parse.quote(party, safe=""))
    asker.ask("getParty", url, status=404, path="/api/v1/parties/nobody-of-this-name")

    envelope = json.dumps(record["envelope"]).encode()
    as_json = {"Content-Type": "application/json"}
    again, _ = asker.ask("appendEntry", url, status=200, body=envelope, headers=as_json)
    if again and (again["index"] != size - 1 or not again["known"]):
        asker.problems.append("a known record was answered with %r" % again)
    asker.ask("appendEntry", url, status=200, body=envelope,
              headers={**as_json, "Accept": "text/plain"})
    unknown = {"keyid": "a key that nobody knows", "sig": base64.b64encode(b"x" * 64).decode()}
    more = {**record["envelope"], "signatures": record["envelope"]["signatures"] + [unknown]}
    again, _ = asker.ask("appendEntry", url, status=200, body=json.dumps(more).encode(), headers=as_json)
    dropped = [{"signature": len(more["signatures"]) - 1, "keyid": unknown["keyid"]}]
    if again and again.get("droppedSignatures") != dropped:
        asker.problems.append("a signature that nobody knows was answered with %r" % again)
    asker.ask("appendEntry", url, status=400, body=b"{", headers=as_json)
    asker.ask("appendEntry", url, status=413, body=b" " * (256 * 1024 + 1), headers=as_json)
    asker.ask("appendEntry", url, status=403, body=refused, headers=as_json)


def ask_raw(asker, url):
    plain = {"Content-Type": "application/octet-stream"}
    asker.ask("add", url, status=200, body=b"openapi\x00\xff", headers=plain)
    asker.ask("add", url, status=200, body=b"openapi\x00\xff", headers=plain)
    asker.ask("add", url, status=413, body=b" " * 65536, headers=plain)
    asker.ask("add", url, status=400, body=b"", headers=plain)
    asker.ask("add", url, status=415, body=b"x", headers={**plain, "Content-Encoding": "gzip"})
    ask_standard(asker, url)


def ask_witness(asker, url, log):
    plain = {"Content-Type": "text/plain"}
    asker.ask("readyz", url, status=200)
    asker.ask("metrics", url, status=200)
    checkpoint, _ = asker.ask("getCheckpoint", log, status=200)
    origin, size = checkpoint.split("\n")[:2]
    shown = "/%s/checkpoint" % hashlib.sha256(origin.encode()).hexdigest()
    asker.ask("getCosignedCheckpoint", url, status=404, path=shown)
    first = ("old 0\n\n" + checkpoint).encode()
    again = ("old %s\n\n" % size + checkpoint).encode()
    asker.ask("addCheckpoint", url, status=200, body=first, headers=plain)
    told, _ = asker.ask("addCheckpoint", url, status=409, body=first, headers=plain)
    if told != size + "\n":
        asker.problems.append("POST /add-checkpoint: 409 says %r, not %s" % (told, size))
    asker.ask("addCheckpoint", url, status=200, body=again, headers=plain)
    asker.ask("addCheckpoint", url, status=400, body=b"old 01\n\n", headers=plain)
    other = first.replace(("\n%s\n" % size).encode(), b"\n77\n", 1)
    asker.ask("addCheckpoint", url, status=403, body=other, headers=plain)
    asker.ask("addCheckpoint", url, status=404, body=first.replace(origin.encode(), b"unknown", 1),
              headers=plain)
    asker.ask("addCheckpoint", url, status=413, body=b" " * (128 * 1024 + 1), headers=plain)
    asker.ask("index", url, status=200)
    _, headers = asker.ask("getCosignedCheckpoint", url, status=200, path=shown)
    asker.ask("getCosignedCheckpoint", url, status=304, path=shown,
              headers={"If-None-Match": headers["ETag"]})


def ask_gossip(asker, url, forked):
    """Last of all: it freezes the log."""
    text = {"Content-Type": "text/plain"}
    shown, _ = asker.ask("listGossipedHeads", url, status=200)
    asker.ask("exchangeHeads", url, status=200, body=shown.encode(), headers=text)
    asker.ask("exchangeHeads", url, status=400, body=b"garbage", headers=text)
    asker.ask("exchangeHeads", url, status=413, body=b" " * (256 * 1024 + 1), headers=text)
    none, _ = asker.ask("listEvidence", url, status=200)
    asker.ask("exchangeHeads", url, status=200, body=forked, headers=text)
    listed, _ = asker.ask("listEvidence", url, status=200)
    if none or not listed:
        asker.problems.append("evidence: %r before and %r after a contradiction" % (none, listed))
        return
    found, _ = asker.ask("getEvidence", url, status=200, path="/gossip/v1/evidence/" + listed.split()[0])
    asker.ask("getEvidence", url, status=404, path="/gossip/v1/evidence/" + "0" * 64)
    asker.ask("showEvidence", url, status=200, body=found.encode(), headers=text)
    asker.ask("showEvidence", url, status=400, body=b"garbage", headers=text)
    changed = found.replace("root " if "root " in found else "log ", "log  ", 1)
    asker.ask("showEvidence", url, status=400, body=changed.encode(), headers=text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    for option in ("--records", "--raw", "--witness", "--party", "--refused", "--forked"):
        parser.add_argument(option)
    given = parser.parse_args()
    document = Document(given.file)
    validate_document(document.root)
    problems = document.check_examples()
    if given.records:
        asker = Asker(document)
        ask_raw(asker, given.raw)
        ask_witness(asker, given.witness, given.raw)
        ask_records(asker, given.records, given.party, pathlib.Path(given.refused).read_bytes())
        ask_gossip(asker, given.raw, pathlib.Path(given.forked).read_bytes())
        problems += asker.problems
        problems += ["%s was never answered with success" % operation
                     for operation in sorted(set(document.operations) - asker.succeeded)]
        print("openapi: %d answers of %d operations, %d of them also with refusals" %
              (asker.asked, len(asker.succeeded), len(asker.refused)))
    for problem in problems:
        print("openapi: " + problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
