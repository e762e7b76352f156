"""The flags of `doctor`. As exporter.cli.flags, it imports nothing that loads slowly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.cli.parser import COMMANDS, Parser
from exporter.cli.values import duration

# Long enough for four readings of the oldest wait, which is read each second.
DEFAULT_WATCH_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class DoctorFlags:
    """Flags of `doctor`; `seconds` is how long it watches."""

    json: bool
    seconds: float
    config_file: str | None


def parse_doctor(argv: Sequence[str]) -> DoctorFlags:
    """Parse the arguments after `doctor`. Raises UsageError, and for `--help` SystemExit(0)."""
    return DoctorFlags(**doctor_parser().read(argv))


def doctor_parser() -> Parser:
    """Return the parser of what follows `doctor`."""
    parser = Parser("doctor", "doctor [flags]", f"{COMMANDS['doctor'].capitalize()}.")
    parser.flags.add_argument("--json", action="store_true", help="print JSON instead of text")
    about = f"how long to watch the queues (default: {DEFAULT_WATCH_SECONDS:g}s)"
    parser.flags.add_argument("--for", dest="seconds", metavar="DURATION", type=duration, help=about)
    parser.set_defaults(seconds=DEFAULT_WATCH_SECONDS)
    parser.add_config_file()
    return parser
