"""Replies of real kernels: the datagrams in `<name>.bin`, what they reply to in `<name>.json`.

The name of a recording is that of its case; before it stands the folder of those that were made in a virtual
machine, one for each kernel.
"""

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
    return sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.bin"))


def of_case(case: str) -> list[str]:
    """Return the names of the recordings of one case, of all kernels."""
    return [name for name in names() if case_of(name) == case]


def case_of(name: str) -> str:
    """Return the case that a recording is of."""
    return name.rpartition("/")[2]


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


def save(name: str, recording: Recording, folder: Path = FOLDER) -> None:
    """Write one recording as two files in a folder."""
    about = asdict(recording)
    about["request"] = recording.request.hex()
    about["datagram_bytes"] = list(map(len, about.pop("datagrams")))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.bin").write_bytes(b"".join(recording.datagrams))
    (folder / f"{name}.json").write_text(json.dumps(about, indent=2) + "\n")
