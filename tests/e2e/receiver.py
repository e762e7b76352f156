"""A program that appends the body of each POST request to a file, one line each: `receiver.py PORT FILE`."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class _Server(HTTPServer):
    # By default 5: many alerts at once fill such a queue, which is then an alert itself.
    request_queue_size = 512


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Append the body, a JSON document, on one line."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with Path(sys.argv[2]).open("a") as file:
            file.write(json.dumps(body) + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    _Server(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
