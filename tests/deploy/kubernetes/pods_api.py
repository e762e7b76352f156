"""The part of the Kubernetes API by which Prometheus discovers pods, over HTTP.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ (list, then watch from its version on).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Pod = Mapping[str, Any]


@contextmanager
def serving(pods: Sequence[Pod]) -> Iterator[str]:
    """Serve these pods, which never change, and give the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: _Handler(pods, *args)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _matches(pod: Pod, selector: str) -> bool:
    labels = pod["metadata"]["labels"]
    return all(
        labels.get(name) == value for name, _, value in (part.partition("=") for part in selector.split(","))
    )


class _Handler(BaseHTTPRequestHandler):
    """Answers a list of pods; a watch has no events until the client ends it."""

    protocol_version = "HTTP/1.1"

    def __init__(self, pods: Sequence[Pod], *args: Any) -> None:
        self._pods = pods
        super().__init__(*args)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path != "/api/v1/namespaces/listen-queue-exporter/pods":
            self._respond(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})
            return
        chosen = [pod for pod in self._pods if _matches(pod, query["labelSelector"])]
        if "watch" in query:
            self._watch(chosen if "sendInitialEvents" in query else [])
        else:
            metadata = {"resourceVersion": "1"}
            self._respond(200, {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": chosen})

    def _watch(self, pods: Sequence[Pod]) -> None:
        """Send these pods as the initial events, and no others until the client ends the connection."""
        end = {"annotations": {"k8s.io/initial-events-end": "true"}, "resourceVersion": "1"}
        events = [{"type": "ADDED", "object": {"kind": "Pod", "apiVersion": "v1", **pod}} for pod in pods]
        events.append({"type": "BOOKMARK", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": end}})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in events:
            self.wfile.write(json.dumps(event).encode() + b"\n")
        self.connection.recv(1)
        self.close_connection = True

    def _respond(self, status: int, document: Mapping[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class has it)
        """Write nothing."""
