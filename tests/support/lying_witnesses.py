#!/usr/bin/env python3
"""Witnesses that are no help, on free ports; prints "NAME URL" for each, then waits to be ended.

silent   takes connections and never answers
garbage  answers every request with what is not HTTP, or is no cosignature, in turns
claims   answers add-checkpoint with 409 and the size 99999999, and shows nothing
"""
import http.server
import itertools
import socket
import sys
import threading


class Garbage(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers = itertools.cycle([b"\0\xff not HTTP\r\n\r\n", None])

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = next(self.answers)
        if answer is None:
            self.send_response(200)
            self.send_header("Content-Length", "8")
            self.end_headers()
            answer = b"garbage\n"
        self.wfile.write(answer)

    do_GET = do_POST

    def log_message(self, *args):
        pass


class Claims(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(409)
        self.send_header("Content-Type", "text/x.tlog.size")
        self.send_header("Content-Length", "9")
        self.end_headers()
        self.wfile.write(b"99999999\n")

    def do_GET(self):
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


silent = socket.create_server(("127.0.0.1", 0), backlog=128)
print(f"silent http://127.0.0.1:{silent.getsockname()[1]}", flush=True)
for name, handler in (("garbage", Garbage), ("claims", Claims)):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"{name} http://127.0.0.1:{server.server_address[1]}", flush=True)
print("ready", flush=True)
sys.stdin.read()
threading.Event().wait()
