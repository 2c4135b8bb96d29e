"""bench/flood.py URL KIND SOURCE [FILE]: a flood from one loopback address, until it is killed.

bodies   512 connections with half-sent bodies of 200 KB
readers  500 connections that take a few bytes a second of a page of a thousand entries
greedy   32 connections that read entry bundles as fast as they can
junk     32 connections that send FILE, a record of an accredited key whose signature does not verify
key      64 connections that send the records in FILE, one a line, of one accredited key
gossip   32 connections that show FILE, a head of the log's whose signature does not verify
"""
import asyncio
import itertools
import socket
import sys
from urllib.parse import urlsplit

url, kind, source = sys.argv[1:4]
to = urlsplit(url)
host = f"{to.hostname}:{to.port}"
lines = open(sys.argv[4], "rb").read() if len(sys.argv) > 4 else b""
records = iter(lines.splitlines())
number = itertools.count()


def head(method, path, length=None, of="application/json"):
    more = "" if length is None else f"Content-Length: {length}\r\nContent-Type: {of}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


async def connect(room=None):
    s = socket.socket()
    if room:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    s.bind((source, 0))
    s.setblocking(False)
    await asyncio.get_running_loop().sock_connect(s, (to.hostname, to.port))
    return await asyncio.open_connection(sock=s, limit=2048 if room else 2**16)


async def answer(reader):
    text = await reader.readuntil(b"\r\n\r\n")
    length = next(int(f[15:]) for f in text.split(b"\r\n") if f.lower().startswith(b"content-length:"))
    await reader.readexactly(length)


def request():
    if kind == "greedy":
        return head("GET", "/tile/entries/000")
    if kind == "key":
        body = next(records)
        return head("POST", "/api/v1/entries", len(body)) + body
    if kind == "junk":  # another payload each time, or it would be cheap to know
        body = lines.replace(b"NUMBER", b"%012d" % next(number))
        return head("POST", "/api/v1/entries", len(body)) + body
    text, newline = lines.split(b"\n\n", 1)
    body = text + b"\nx-%012d\n\n" % next(number) + newline
    return head("POST", "/gossip/v1/tree-heads", len(body), "text/plain") + body


async def client():
    while True:
        try:
            reader, writer = await connect(4096 if kind == "readers" else None)
            if kind == "bodies":
                writer.write(head("POST", "/api/v1/entries", 200000) + b"x" * 150000)
                await reader.read()
            elif kind == "readers":
                writer.write(head("GET", "/api/v1/entries?limit=1000"))
                while await reader.read(16):
                    await asyncio.sleep(1)
            else:
                while True:
                    writer.write(request())
                    await answer(reader)
        except StopIteration:
            return
        except (OSError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.05)


async def main():
    n = {"bodies": 512, "readers": 500, "key": 64}.get(kind, 32)
    await asyncio.gather(*(client() for _ in range(n)))


asyncio.run(main())
