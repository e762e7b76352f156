"""What the file broker reads of the host: what the user has named, and what runtimes write; nothing else."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from exporter.broker.host_files import MAX_NAMES, HostFileReader, NamedFile, RuntimeDirectory, RuntimeFile
from tests.broker.names import make_names
from tests.broker.namespaced_process import descriptors

ID = "0123456789abcdef" * 4


def written(folder: Path, path: str, content: bytes = b"content") -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def read(path: Path | str) -> bytes:
    return HostFileReader().read(RuntimeFile(os.fsencode(path))).content


def names(path: Path | str) -> list[str]:
    found = HostFileReader().read(RuntimeDirectory(os.fsencode(path))).content
    return sorted(os.fsdecode(found).split("\0"))


def failure(reader: HostFileReader, file: NamedFile | RuntimeFile | RuntimeDirectory) -> int | None:
    with pytest.raises(OSError) as caught:  # noqa: PT011  (the number is what is looked at)
        reader.read(file)
    return caught.value.errno


@pytest.mark.parametrize(
    "path",
    [
        f"docker/containers/{ID}/config.v2.json",
        "overlay-containers/containers.json",
        "vfs-containers/volatile-containers.json",
        f"overlay-containers/{ID}/userdata/config.json",
        f"io.containerd.runtime.v2.task/k8s.io/{ID}/config.json",
        "io.containerd.runtime.v2.task/default/web-1.2_a/config.json",
        "nerdctl/1935db59/names/default/web",
        "docker/daemon.json",
        "containerd/config.toml",
        "docker/containerd/containerd.toml",
        "crio/crio.conf",
        "containers/storage.conf",
    ],
)
def test_files_of_runtimes_are_read_wherever_they_are(tmp_path: Path, path: str) -> None:
    before = descriptors()
    assert read(written(tmp_path, path)) == b"content"
    linked = tmp_path / "linked"
    linked.symlink_to(tmp_path)
    assert read(linked / path) == b"content"
    assert descriptors() == before


@pytest.mark.parametrize(
    "path",
    [
        "shadow",
        "config.json",
        ".docker/config.json",
        f"containers/{ID[:-1]}/config.v2.json",
        f"containers/{ID}/config.v2.json.bak",
        f"containers/{ID}/hostconfig.json",
        f"overlay-containers/{ID}/userdata/shm",
        "nerdctl/1935db59/etchosts/default",
        "io.containerd.runtime.v2.task/default/web/options.json",
        "io.containerd.runtime.v2.task/default/web..x/config.json",
        "my-daemon.json.d/x",
        "config.toml",
    ],
)
def test_other_files_are_not(tmp_path: Path, path: str) -> None:
    file = written(tmp_path, path)
    assert failure(HostFileReader(), RuntimeFile(os.fsencode(file))) == errno.EACCES


def test_a_link_leads_to_no_other_file(tmp_path: Path) -> None:
    secret = written(tmp_path, "secret")
    link = tmp_path / f"containers/{ID}/config.v2.json"
    link.parent.mkdir(parents=True)
    link.symlink_to(secret)
    assert failure(HostFileReader(), RuntimeFile(os.fsencode(link))) == errno.EACCES


def test_a_link_that_is_made_meanwhile_leads_to_no_other_file(tmp_path: Path) -> None:
    secret = written(tmp_path, f"secret/{ID}/userdata/config.json")
    place = tmp_path / "overlay-containers"

    def resolve(path: str) -> str:
        """Resolve a path, and have another change what has just been looked at."""
        place.symlink_to(tmp_path / "secret")
        return path

    path = place / f"{ID}/userdata/config.json"
    assert secret.exists()
    assert failure(HostFileReader(resolve=resolve), RuntimeFile(os.fsencode(path))) in {
        errno.ELOOP,
        errno.EACCES,
    }


@pytest.mark.parametrize(
    "path", [f"/proc/1/root/containers/{ID}/config.v2.json", "crio.conf", "../crio.conf"]
)
def test_neither_the_root_of_a_process_nor_a_relative_path(path: str) -> None:
    assert failure(HostFileReader(), RuntimeFile(os.fsencode(path))) == errno.EACCES


def test_what_is_no_regular_file_or_too_large_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "crio.conf").mkdir()
    assert failure(HostFileReader(), RuntimeFile(os.fsencode(tmp_path / "crio.conf"))) == errno.EISDIR
    os.mkfifo(tmp_path / "storage.conf")
    assert failure(HostFileReader(), RuntimeFile(os.fsencode(tmp_path / "storage.conf"))) == errno.EINVAL
    with (tmp_path / "daemon.json").open("wb") as file:
        file.truncate((8 << 20) + 1)
    assert failure(HostFileReader(), RuntimeFile(os.fsencode(tmp_path / "daemon.json"))) == errno.EFBIG
    assert read(written(tmp_path, "containerd.toml", b"")) == b""


def test_of_a_directory_those_names_are_told_that_a_runtime_gives(tmp_path: Path) -> None:
    for name in ("100000.100000", "1935db59", "secret", "id_ed25519"):
        (tmp_path / name).mkdir()
    assert names(tmp_path) == ["100000.100000", "1935db59"]
    written(tmp_path, "1935db59/names/default/web")
    assert names(tmp_path / "1935db59/names") == ["default"]
    assert names(tmp_path / "1935db59/names/default") == ["web"]
    written(tmp_path, "io.containerd.runtime.v2.task/moby/x")
    assert names(tmp_path / "io.containerd.runtime.v2.task") == ["moby"]
    assert failure(HostFileReader(), RuntimeDirectory(b"/proc/1/root")) == errno.EACCES
    assert failure(HostFileReader(), RuntimeDirectory(os.fsencode(tmp_path / "x"))) == errno.ENOENT


def test_of_a_directory_without_end_a_part_is_read(tmp_path: Path) -> None:
    """Anybody may have a directory by such a name, and make others read it."""
    store = tmp_path / "1935db59/names"
    store.mkdir(parents=True)
    make_names(store, MAX_NAMES + 10)
    assert len(names(store)) == MAX_NAMES
    shutil.rmtree(store)


def test_what_the_user_has_named_is_read_anew_each_time(tmp_path: Path) -> None:
    file = written(tmp_path, "c.yaml", b"1")
    reader = HostFileReader([str(file), str(tmp_path / "missing"), str(tmp_path)])
    assert reader.read(NamedFile(0)).content == b"1"
    file.rename(tmp_path / "before")
    file.write_bytes(b"2")
    assert reader.read(NamedFile(0)).content == b"2"
    assert failure(reader, NamedFile(1)) == errno.ENOENT
    assert failure(reader, NamedFile(2)) == errno.EISDIR
    assert failure(reader, NamedFile(3)) == errno.EACCES
    os.truncate(file, (1 << 20) + 1)
    assert failure(reader, NamedFile(0)) == errno.EFBIG
    file.unlink()
    os.mkfifo(file)
    assert failure(reader, NamedFile(0)) == errno.EINVAL
