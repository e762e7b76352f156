"""Which modules of pyroute2 are imported, each case in a Python that has imported none."""

from __future__ import annotations

import subprocess
import sys

import pytest

_IMPORT = "import exporter.kernel.sock_diag.message_classes as ours"


def run(*lines: str) -> str:
    command = [sys.executable, "-c", "\n".join(["import sys", *lines])]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_other_protocols_of_pyroute2_are_not_imported() -> None:
    """They are counted while they are imported, since none is left afterwards."""
    count = (
        "seen = []",
        "class Finder:",
        "    def find_spec(self, name, path, target=None):",
        "        seen.append(name)",
        "sys.meta_path.insert(0, Finder())",
    )
    whole, ours = (
        [name for name in run(*count, line, "print(*seen)").split() if name.startswith("pyroute2.")]
        for line in ("import pyroute2", _IMPORT)
    )
    assert "pyroute2.netlink.diag" in ours
    assert len(ours) < len(whole) / 4


def test_its_sockets_are_not_imported_and_asyncio_is_not_either() -> None:
    assert (
        run(_IMPORT, "print('asyncio' in sys.modules, ours.inet_diag_req.__name__)")
        == "False inet_diag_req\n"
    )


@pytest.mark.parametrize("order", [(_IMPORT, "import pyroute2"), ("import pyroute2", _IMPORT)])
def test_pyroute2_itself_is_whole_before_and_after(order: tuple[str, str]) -> None:
    used = (
        "print(len(sys.modules['pyroute2'].IPRoute.__mro__) > 1, sys.modules['pyroute2.netlink'].nlmsg.pack)"
    )
    assert run(*order, used).startswith("True ")


def test_nothing_of_it_is_left_for_others_to_find() -> None:
    assert run(_IMPORT, "print([name for name in sys.modules if 'pyroute2' in name])") == "[]\n"
