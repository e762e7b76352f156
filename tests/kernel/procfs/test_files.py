"""Files below /proc, read whole, and what happens where one cannot be opened."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.procfs.files import OWN_PROCFS, ProcfsDirectory
from tests.broker.namespaced_process import descriptors as own_descriptors
from tests.kernel.fake_kernel import FakeFiles
from tests.kernel.limits import no_free_descriptor
from tests.kernel.procfs_tree import put


def test_a_file_is_read_below_the_mount(tmp_path: Path) -> None:
    content = b"x" * 200_000
    put(tmp_path, "net/tcp", content)
    assert ProcfsDirectory(tmp_path).read("net/tcp") == content


def test_the_own_files_are_those_of_this_namespace() -> None:
    assert OWN_PROCFS.read("net/snmp").startswith(b"Ip: ")


def test_a_descriptor_is_not_inherited_and_is_closed_after_a_read(tmp_path: Path) -> None:
    put(tmp_path, "net/tcp", "")
    files = ProcfsDirectory(tmp_path)
    descriptor = files.open("net/tcp")
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    before = own_descriptors()
    files.read("net/tcp")
    assert own_descriptors() == before


def test_a_missing_file_is_unavailable_and_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot read /proc/net/tcp: ENOENT") as missing:
        ProcfsDirectory(tmp_path).read("net/tcp")
    assert missing.value.errno == errno.ENOENT


def test_without_a_free_descriptor_a_read_is_a_kernel_error() -> None:
    with no_free_descriptor(), pytest.raises(KernelError) as failed:
        OWN_PROCFS.read("net/snmp")
    assert type(failed.value) is KernelError
    assert failed.value.errno == errno.EMFILE


def test_an_error_of_opening_that_is_a_kernel_error_already_is_raised_as_it_is() -> None:
    lost = KernelError("cannot enter", "broker")
    with pytest.raises(KernelError) as raised:
        FakeFiles({"net/tcp": lost}).read("net/tcp")
    assert raised.value is lost


def test_a_read_that_fails_closes_the_file(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    before = own_descriptors()
    with pytest.raises(KernelError, match="EISDIR"):
        ProcfsDirectory(tmp_path).read("net")
    assert own_descriptors() == before
