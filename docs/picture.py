"""Draws docs/show.svg: what the command prints in a namespace with a few services, one of them stuck.

`make picture` runs it. It needs root, or user namespaces, as the tests do.
"""

from __future__ import annotations

import html
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from signal import SIGSTOP

from testbed import namespace, privileges, programs

_PICTURE = Path(__file__).with_name("show.svg")
_PORT = 10511
_STUCK_PORT = 8000
_PROMETHEUS_PORT = 9090
_EXPORTER = ["-m", "exporter"]
_FAMILIES = (
    "accept_length",
    "accept_utilization_ratio",
    "accept_oldest_wait_seconds",
    "accept_full_seconds_total",
)

_CHARACTER, _LINE, _MARGIN = 8.4, 20, 24
_STYLE = (
    "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#d8dee9}"
    ".prompt{fill:#88c0d0}.full{fill:#ebcb8b}"
)


def main() -> None:
    """Make the scene, run the commands in it and draw what they print."""
    namespace.enter()
    with tempfile.TemporaryDirectory() as folder:
        web_server = _start(["-m", "http.server", str(_STUCK_PORT), "--directory", folder])
        exporter = _start([*_EXPORTER, f"--web.listen-address=127.0.0.1:{_PORT}", "--log.level=error"])
        prometheus = _prometheus(folder)
        try:
            _wait_for(_STUCK_PORT, _PORT, _PROMETHEUS_PORT)
            web_server.send_signal(SIGSTOP)
            clients = _fill(_STUCK_PORT)
            # Long enough for the counters of seconds to show something.
            time.sleep(5)
            lines = _lines()
            del clients
        finally:
            for process in (web_server, exporter, prometheus):
                process.kill()
                process.wait()
    _PICTURE.write_text(_svg(lines))


def _start(arguments: list[str], program: str = sys.executable) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [program, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=privileges.stay_at_home,  # noqa: PLW1509  (one thread)
    )


def _prometheus(folder: str) -> subprocess.Popen[bytes]:
    config = Path(folder, "prometheus.yml")
    config.write_text("{}\n")
    return _start(
        [f"--config.file={config}", f"--storage.tsdb.path={folder}/data"], programs.find("prometheus")
    )


def _wait_for(*ports: int) -> None:
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)


def _fill(port: int) -> list[socket.socket]:
    """Connect until the queue takes no more."""
    clients = []
    try:
        while True:
            clients.append(socket.create_connection(("127.0.0.1", port), timeout=0.3))
    except TimeoutError:
        return clients


def _lines() -> list[str]:
    shown = subprocess.run(
        [sys.executable, *_EXPORTER, "show"],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=privileges.stay_at_home,
    ).stdout.splitlines()
    page = subprocess.run(
        ["curl", "-s", f"http://127.0.0.1:{_PORT}/metrics"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    names = tuple(f"listen_queue_{name}{{" for name in _FAMILIES)
    found = [line for line in page if line.startswith(names) and f'port="{_STUCK_PORT}"' in line]
    commands = (
        "listen-queue-exporter show",
        f"curl -s localhost:{_PORT}/metrics | grep 'port=\"{_STUCK_PORT}\"'",
    )
    return [f"$ {commands[0]}", *shown, "", f"$ {commands[1]}", *found]


def _svg(lines: list[str]) -> str:
    width = 2 * _MARGIN + _CHARACTER * max(map(len, lines))
    height = 2 * _MARGIN + _LINE * len(lines)
    rows = "\n".join(
        f'<text x="{_MARGIN}" y="{_MARGIN + _LINE * index + 14}"{_class(line)}>{html.escape(line)}</text>'
        for index, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {width:.0f} {height}" '
        f'width="{width:.0f}" height="{height}">\n<style>{_STYLE}</style>\n'
        '<rect width="100%" height="100%" rx="8" fill="#2e3440"/>\n'
        f"{rows}\n</svg>\n"
    )


def _class(line: str) -> str:
    if line.startswith("$"):
        return ' class="prompt"'
    return ' class="full"' if f":{_STUCK_PORT}" in line else ""


if __name__ == "__main__":
    main()
