"""The exporter with its streams and its arguments as a shell sets them up."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from testbed import privileges
from testbed.daemon import ExporterProgram, unmeasured

ROOT: Final = Path(__file__).resolve().parents[2]
EXPORTER: Final = (sys.executable, "-m", "exporter")


class RedirectedExporter(ExporterProgram):
    """The daemon, with redirections as a shell has them, such as `2>/dev/full`.

    `before` is shell text that runs first. It may enter other network namespaces only where `namespaces` is
    true.
    """

    def __init__(  # what differs from one fault to the next
        self,
        folder: Path,
        redirections: str = "",
        *flags: str,
        before: str = "",
        namespaces: bool = False,
        before_exec: Callable[[], None] | None = None,
    ) -> None:
        command = shlex.join((*EXPORTER, f"--web.listen-address=127.0.0.1:{self.port}", *flags))

        def prepare() -> None:
            if not namespaces:
                privileges.deny_other_namespaces()
            if before_exec is not None:
                before_exec()

        super().__init__(
            ["sh", "-c", f"{before}\nexec {command} {redirections}"],
            folder / "exporter.log",
            cwd=ROOT,
            env=unmeasured(),
            before_exec=prepare,
        )
