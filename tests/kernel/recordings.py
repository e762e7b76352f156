"""Replies of a real kernel: the datagrams in `<name>.bin`, what they reply to in `<name>.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.kernel.recorded_cases import Fact

FOLDER: Final = Path(__file__).with_name("recorded")


@dataclass(frozen=True, slots=True)
class Recording:
    """A reply: `datagrams` as they were received, with the closing NLMSG_DONE.

    `what` describes the request, `truth` the sockets that had been made.
    """

    what: str
    command: str
    kernel: str
    port_id: int
    request: bytes
    truth: list[Fact]
    datagrams: tuple[bytes, ...]


def names() -> list[str]:
    """Return the names of all recordings."""
    return sorted(path.stem for path in FOLDER.glob("*.bin"))


def load(name: str) -> Recording:
    """Read one recording back."""
    about = json.loads((FOLDER / f"{name}.json").read_text())
    content = (FOLDER / f"{name}.bin").read_bytes()
    datagrams, at = [], 0
    for size in about.pop("datagram_bytes"):
        datagrams.append(content[at : at + size])
        at += size
    assert at == len(content)
    about["request"] = bytes.fromhex(about["request"])
    return Recording(**about, datagrams=tuple(datagrams))


def save(name: str, recording: Recording) -> None:
    """Write one recording as two files."""
    about = asdict(recording)
    about["request"] = recording.request.hex()
    about["datagram_bytes"] = list(map(len, about.pop("datagrams")))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.bin").write_bytes(b"".join(recording.datagrams))
    (FOLDER / f"{name}.json").write_text(json.dumps(about, indent=2) + "\n")
