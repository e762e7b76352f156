"""The entry point of the command: arguments in, exit status out.

Only what takes the signals is imported before that is done.
"""

from __future__ import annotations

import sys
from functools import partial

from exporter.cli.signals import ProcessSignals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.cli.flags import Flags


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 success, 1 failed at run time, 2 wrong use.

    An ExporterError is printed to stderr as its text alone. Arguments default to those of the process, whose
    signals are then taken, too.
    """
    signals = ProcessSignals()
    if argv is None:
        argv = sys.argv[1:]
        if is_command(argv):
            signals.take_for_command()
        else:
            signals.take_for_daemon()
    from exporter.cli import output  # noqa: PLC0415  (after the signals)

    output.prepare_streams()
    if is_command(argv):
        from exporter.cli.show_flags import is_check  # noqa: PLC0415  (after the signals)

        if is_check(argv):
            return _plugin_status(argv, signals)
    return _status(argv, signals)


def is_command(argv: Sequence[str]) -> bool:
    """Tell whether the arguments name a subcommand; those of the daemon begin with a flag."""
    return bool(argv) and not argv[0].startswith("-")


def _plugin_status(argv: Sequence[str], signals: ProcessSignals) -> int:
    """Run `show --check`. Whatever fails, a monitoring system must not take for the state of a queue."""
    from exporter.cli import output  # noqa: PLC0415  (after the signals)
    from exporter.cli.flags import parse  # noqa: PLC0415
    from exporter.cli.show.plugin import unknown  # noqa: PLC0415

    try:
        return _run(parse(argv), signals)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 # Python would end with 1, which is WARNING
        found = unknown(" ".join(str(error).split()) or type(error).__name__)
    try:
        output.write(f"{found.line}\n")
    except Exception as error:  # noqa: BLE001 # only the status is left
        output.write_error(f"{found.line}; {error}")
    return found.status


def _status(argv: Sequence[str], signals: ProcessSignals) -> int:
    from exporter.cli import output  # noqa: PLC0415  (after the signals)
    from exporter.cli.flags import parse  # noqa: PLC0415
    from exporter.cli.parser import PROGRAM  # noqa: PLC0415
    from exporter.errors import ExporterError  # noqa: PLC0415

    try:
        return _run(parse(argv), signals)
    except ExporterError as error:
        output.write_error(str(error) if error.starts_with_location else f"{PROGRAM}: {error}")
        return error.exit_status
    except BrokenPipeError:
        # The reader of the output has closed it, as `head` does.
        return 0
    except KeyboardInterrupt:
        return 130
    except MemoryError:
        output.write_error(f"{PROGRAM}: out of memory")
        return 1


def _run(flags: Flags, signals: ProcessSignals) -> int:
    from exporter.cli.imports import without_garbage_collection  # noqa: PLC0415  (after the signals)

    with without_garbage_collection():
        command = _command(flags, signals)
    return command()


def _command(flags: Flags, signals: ProcessSignals) -> Callable[[], int]:
    """Return the subcommand. Each is imported only where it is run, since their imports take long."""
    from exporter.cli.check_config_flags import CheckConfigFlags  # noqa: PLC0415
    from exporter.cli.doctor_flags import DoctorFlags  # noqa: PLC0415
    from exporter.cli.flags import RunFlags  # noqa: PLC0415
    from exporter.cli.history_flags import HistoryFlags  # noqa: PLC0415
    from exporter.cli.show_flags import ShowFlags  # noqa: PLC0415
    from exporter.cli.top_flags import TopFlags  # noqa: PLC0415

    match flags:
        case RunFlags():
            from exporter.cli.daemon_start import run  # noqa: PLC0415

            return partial(run, flags, signals)
        case CheckConfigFlags():
            from exporter.cli.check_config import check  # noqa: PLC0415

            return partial(check, flags)
        case ShowFlags():
            from exporter.cli.show.command import show  # noqa: PLC0415

            return partial(show, flags)
        case TopFlags():
            from exporter.cli.top.command import top  # noqa: PLC0415

            return partial(top, flags)
        case HistoryFlags():
            from exporter.cli.history import history  # noqa: PLC0415

            return partial(history, flags)
        case DoctorFlags():
            from exporter.cli.doctor import doctor  # noqa: PLC0415

            return partial(doctor, flags)
