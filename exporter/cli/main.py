"""The entry point of the command: arguments in, exit status out."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from exporter.cli.flags import CheckConfigFlags, Flags, RunFlags, ShowFlags, parse
from exporter.cli.output import open_closed_streams
from exporter.cli.parser import PROGRAM
from exporter.errors import ExporterError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 success, 1 failed at run time, 2 wrong use.

    An ExporterError is printed to stderr as its text alone. Arguments default to those of the process.
    """
    open_closed_streams()
    try:
        return _run(parse(sys.argv[1:] if argv is None else argv))
    except ExporterError as error:
        print(error if error.starts_with_location else f"{PROGRAM}: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        # The reader of the output has closed it, as `head` does.
        return 0
    except KeyboardInterrupt:
        return 130


def _run(flags: Flags) -> int:
    """Run the subcommand. Each is imported only where it is run, since their imports take long."""
    match flags:
        case RunFlags():
            from exporter.cli.daemon import run  # noqa: PLC0415

            return run(flags)
        case CheckConfigFlags():
            from exporter.cli.check_config import check  # noqa: PLC0415

            return check(flags)
        case ShowFlags():
            from exporter.cli.show import show  # noqa: PLC0415

            return show(flags)
