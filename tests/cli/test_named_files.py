"""A file that the user has named is read by the file broker where this process may not any more."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from exporter.broker.host_files import HostFile, NamedFile
from exporter.cli.named_files import NamedFiles
from exporter.kernel.errors import BrokerUnavailableError
from exporter.yamlfile.errors import ConfigError
from testbed import privileges


class FakeBroker:
    """A file broker that answers what it is told to."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.asked: list[HostFile] = []
        self._answer = answer

    def read(self, file: HostFile) -> bytes:
        self.asked.append(file)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def protected(folder: Path) -> str:
    """A file that another user than this test's may not read."""
    file = folder / "c.yaml"
    file.write_text("of root")
    file.chmod(0)
    return str(file)


def test_what_this_process_may_read_it_reads_itself(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("content")
    broker = FakeBroker(b"other")
    files = NamedFiles([str(file)])
    files.read_by(broker.read)
    assert files.read(str(file)) == "content"
    file.unlink()
    with pytest.raises(ConfigError, match="no such file"):
        files.read(str(file))
    assert broker.asked == []


@pytest.mark.netns
def test_what_it_may_not_read_the_broker_reads(tmp_path: Path) -> None:
    path = protected(tmp_path)
    files = NamedFiles(["/other", path])
    broker = FakeBroker(b"of root")
    privileges.drop_to()
    with pytest.raises(ConfigError, match=r"cannot be read \(by user id 65534\): permission denied"):
        files.read(path)
    files.read_by(broker.read)
    assert files.read(path) == "of root"
    assert broker.asked == [NamedFile(1)]


@pytest.mark.netns
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EFBIG, "x"), "is over 1 MiB, the most that is read; check the name of the file"),
        (OSError(errno.EINVAL, "x"), "is no regular file; a regular file belongs here"),
        (OSError(errno.EISDIR, "x"), "is a directory; a regular file belongs here"),
        (OSError(errno.ENOENT, "No such file or directory"), "cannot be read: no such file or directory"),
        (
            BrokerUnavailableError("cannot read a file of this host", "the file broker ended"),
            "cannot be read: the file broker has ended, or does not answer; try again",
        ),
    ],
)
def test_why_the_broker_could_not_is_one_line(tmp_path: Path, error: Exception, message: str) -> None:
    path = protected(tmp_path)
    files = NamedFiles([path])
    files.read_by(FakeBroker(error).read)
    privileges.drop_to()
    with pytest.raises(ConfigError) as caught:
        files.read(path)
    assert str(caught.value) == f"{path}: {message}"
