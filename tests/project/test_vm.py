"""Virtual machines: what qemu is told, and when a system in the cache is another one than is wanted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tools.vm.kernel import Kernel
from tools.vm.machine import Settings, qemu_arguments
from tools.vm.system import ENGINES, Installed

QEMU = Path("/programs/.debian/usr/bin/qemu-system-x86_64")
INSTALLED = Installed(Path("/cache/root"), Path("/cache/disk"))
KERNEL = Kernel(Path("/cache/linux"), Path("/cache/initrd"), Path("/cache/modules"))


def arguments(settings: Settings) -> list[str]:
    return qemu_arguments(QEMU, INSTALLED, KERNEL, Path("/folder"), settings)


def test_a_machine_has_no_network_and_keeps_nothing() -> None:
    given = arguments(Settings())
    assert given[given.index("-nic") + 1] == "none"
    disks = [given[index + 1] for index, word in enumerate(given) if word == "-drive"]
    assert [disk for disk in disks if "snapshot=on" not in disk and "readonly=on" not in disk] == []


def test_the_disks_are_in_the_order_in_which_the_machine_expects_them() -> None:
    given = arguments(Settings())
    disks = [
        given[index + 1].split("file=")[1].split(",")[0]
        for index, word in enumerate(given)
        if word == "-drive"
    ]
    assert disks == ["/cache/disk", "/cache/modules", "/folder/input"]


def test_qemu_that_was_unpacked_finds_its_data() -> None:
    given = arguments(Settings())
    folders = [given[index + 1] for index, word in enumerate(given) if word == "-L"]
    assert folders == ["/programs/.debian/usr/share/qemu", "/programs/.debian/usr/share/seabios"]


def test_words_for_the_kernel_come_last() -> None:
    given = arguments(Settings(append="ipv6.disable=1"))
    assert given[given.index("-append") + 1].endswith(" ipv6.disable=1")


def test_a_system_with_other_packages_is_another_one() -> None:
    assert replace(ENGINES, packages=()).key != ENGINES.key
    assert replace(ENGINES, newer={}).key != ENGINES.key
    assert replace(ENGINES).key == ENGINES.key
