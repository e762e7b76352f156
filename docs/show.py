"""Draws docs/show.svg: what `show` and /metrics print while the accept queue of one service is full.

`make picture` runs it, in a network namespace of its own; that needs root, or user namespaces.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from signal import SIGSTOP
from typing import Final

from testbed import namespace, privileges, programs, terminal
from testbed.full_queue import accepts, fill
from testbed.waiting import equals, until

_PICTURE: Final = Path(__file__).with_name("show.svg")
_PORT: Final = 10511
_STOPPED_PORT: Final = 8000
_PROMETHEUS_PORT: Final = 9090
_EXPORTER: Final = ("-m", "exporter")
# Long enough for seconds to be counted.
_FULL_SECONDS: Final = 5.0
_METRICS: Final = (
    "accept_length",
    "accept_utilization_ratio",
    "accept_oldest_wait_seconds",
    "accept_full_seconds_total",
)

# Of the terminal that `show` writes to.
_COLUMNS: Final = 100
_CHARACTER_WIDTH: Final = 8.4
_LINE_HEIGHT: Final = 20
_BASELINE: Final = 14
_MARGIN: Final = 24
_TITLE: Final = "What listen-queue-exporter show prints, and the metrics of the listener whose queue is full"
_STYLE: Final = (
    "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#d8dee9}"
    ".prompt{fill:#88c0d0}.full{fill:#ebcb8b}"
)
# Two spaces or more are between columns; one is part of the text.
_CELL: Final = re.compile(r"\S+(?: \S+)*")


def main() -> None:
    """Fill the queue of a web server that is stopped, run both commands, and draw what they print."""
    namespace.enter()
    with tempfile.TemporaryDirectory() as folder:
        web_server = _start([sys.executable, "-m", "http.server", str(_STOPPED_PORT), "--directory", folder])
        exporter = _start(
            [sys.executable, *_EXPORTER, f"--web.listen-address=127.0.0.1:{_PORT}", "--log.level=error"]
        )
        prometheus = _start_prometheus(folder)
        try:
            for port in (_STOPPED_PORT, _PORT, _PROMETHEUS_PORT):
                until(partial(accepts, port), equals(wanted=True))
            web_server.send_signal(SIGSTOP)
            clients = fill(_STOPPED_PORT)
            time.sleep(_FULL_SECONDS)
            lines = _printed()
            for client in clients:
                client.close()
        finally:
            for process in (web_server, exporter, prometheus):
                process.kill()
                process.wait()
    _PICTURE.write_text(draw(lines))


def draw(lines: Sequence[str]) -> str:
    """Lines of a terminal as SVG.

    Every cell of a line has an x and a width: neither white space, which browsers collapse, nor the widths
    of a font's characters move a column.
    """
    width = 2 * _MARGIN + _CHARACTER_WIDTH * max(map(len, lines))
    height = 2 * _MARGIN + _LINE_HEIGHT * len(lines)
    texts = "\n".join(_text(index, line) for index, line in enumerate(lines) if line)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" '
        f'height="{height}" role="img">\n<title>{_TITLE}</title>\n<style>{_STYLE}</style>\n'
        f'<rect width="100%" height="100%" rx="8" fill="#2e3440"/>\n{texts}\n</svg>\n'
    )


def _text(index: int, line: str) -> str:
    cells = " ".join(
        f'<tspan x="{_MARGIN + _CHARACTER_WIDTH * cell.start():.1f}" '
        f'textLength="{_CHARACTER_WIDTH * len(cell[0]):.1f}">{html.escape(cell[0], quote=False)}</tspan>'
        for cell in _CELL.finditer(line)
    )
    return f'<text y="{_MARGIN + _LINE_HEIGHT * index + _BASELINE}"{_class(line)}>{cells}</text>'


def _class(line: str) -> str:
    if line.startswith("$"):
        return ' class="prompt"'
    return ' class="full"' if f":{_STOPPED_PORT} " in line else ""


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=privileges.deny_other_namespaces,  # noqa: PLW1509  (one thread)
    )


def _start_prometheus(folder: str) -> subprocess.Popen[bytes]:
    config = Path(folder, "prometheus.yml")
    config.write_text("{}\n")
    return _start(
        [programs.find("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder}/data"]
    )


def _printed() -> list[str]:
    command = [sys.executable, *_EXPORTER, "show"]
    shown = terminal.written(command, _COLUMNS, {"NO_COLOR": "1"}, privileges.deny_other_namespaces)
    page = subprocess.run(
        ["curl", "-s", f"http://127.0.0.1:{_PORT}/metrics"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    names = tuple(f"listen_queue_{name}{{" for name in _METRICS)
    metrics = [line for line in page if line.startswith(names) and f'port="{_STOPPED_PORT}"' in line]
    return [
        "$ listen-queue-exporter show",
        *shown,
        "",
        f"$ curl -s localhost:{_PORT}/metrics | grep 'port=\"{_STOPPED_PORT}\"'",
        *metrics,
    ]


if __name__ == "__main__":
    main()
