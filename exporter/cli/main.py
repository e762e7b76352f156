"""The way into the program: from arguments to an exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from exporter.cli.flags import CheckConfigFlags, Flags, RunFlags, ShowFlags, parse
from exporter.cli.parser import PROGRAM
from exporter.errors import ExporterError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 fine, 1 failed at run time, 2 wrong use.

    Every failure that was foreseen is one clear line on stderr.
    """
    try:
        return _run(parse(sys.argv[1:] if argv is None else argv))
    except ExporterError as error:
        print(error if error.names_place else f"{PROGRAM}: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        # Whoever read the output has seen enough, as `head` does.
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


def _run(flags: Flags) -> int:
    """Hand over to the command. Each is imported on its own, so that `--help` stays quick."""
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
