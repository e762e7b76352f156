"""The command line of the program."""

from __future__ import annotations

import contextlib
import io
import os

from exporter.cli.flags import parse
from exporter.errors import UsageError
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """Parse arguments; what is wrong is a UsageError of one line."""
    argv = [os.fsdecode(argument) for argument in data.split(b"\0")]
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            parse(argv)
        except UsageError as error:
            assert len(str(error).splitlines()) == 1
        except SystemExit as end:
            assert end.code == 0


TARGET = Target(
    run,
    max_bytes=512,
    words=(
        b"show", b"doctor", b"check-config", b"\0", b"--config.file", b"=", b"--json", b"--web.max-requests=",
        b"--log.level\0info",
        b"--check", b"--csv", b"--state", b"full,ok", b"--for", b"2s", b"--members", b"--port",
        b"--help", b"--version", b"--web.listen-address=:1", b"--", b"-h", b"-", b"9",
    ),
)  # fmt: skip
