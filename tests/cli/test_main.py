"""Exit statuses, and what is printed to the standard error."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.cli.main import main
from exporter.cli.parser import PROGRAM

FULL = Path("/dev/full")


def test_success_is_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("{}")
    assert main(["check-config", str(file)]) == 0
    out, err = capsys.readouterr()
    assert (out.splitlines()[0], err) == (f"{file}: valid, 0 rules", "")


def test_wrong_use_is_status_2_and_one_line_with_the_name_of_the_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--nothing"]) == 2
    line = f"{PROGRAM}: unknown flag '--nothing'; see listen-queue-exporter --help\n"
    assert capsys.readouterr() == ("", line)


def test_wrong_configuration_is_status_2_and_lines_that_begin_with_their_location(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("colour: red\nsize: 7\n")
    assert main(["check-config", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(" ")[0] for line in err.splitlines()] == [f"{file}:1:1:", f"{file}:2:1:"]


class Interrupted(io.StringIO):
    """An output on which Ctrl-C is pressed."""

    def flush(self) -> None:
        raise KeyboardInterrupt


def test_keyboard_interrupt_is_status_130(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("{}")
    with contextlib.redirect_stdout(Interrupted()):
        assert main(["check-config", str(file)]) == 130
    assert capsys.readouterr() == ("", "")


def run(*arguments: str, stdout: int, unbuffered: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    if unbuffered:
        environment["PYTHONUNBUFFERED"] = "1"
    return subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=environment,
    )


def test_failure_at_run_time_is_status_1_and_one_line() -> None:
    """RFC 5737 reserves the address for documentation, so no interface has it."""
    ended = run("--web.listen-address=192.0.2.1:10511", stdout=subprocess.DEVNULL)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"{PROGRAM}: cannot listen on 192.0.2.1:10511: ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("arguments", [["--help"], ["check-config", "c.yaml"]])
def test_output_whose_reader_is_gone_is_no_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    unbuffered: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    """As where the output goes to `head`; what is buffered is written only at the end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("{}")
    reader, writer = os.pipe()
    os.close(reader)
    ended = run(*arguments, stdout=writer, unbuffered=unbuffered)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.skipif(not FULL.exists(), reason=f"no {FULL}")
@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("arguments", [["--version"], ["show", "--prometheus"]])
def test_output_that_cannot_be_written_is_status_1_and_one_line(
    arguments: list[str],
    unbuffered: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    with FULL.open("wb") as full:
        ended = run(*arguments, stdout=full.fileno(), unbuffered=unbuffered)
    assert ended.returncode == 1
    expected = f"{PROGRAM}: cannot write to the standard output: No space left on device"
    assert ended.stderr.splitlines()[-1] == expected
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "--version",
        "show",
        "show --json",
        "show --csv",
        "show --prometheus",
        "doctor --for=10ms",
        "check-config config.example.yaml",
    ],
)
def test_output_that_is_closed_is_status_1_and_one_line(arguments: str) -> None:
    command = f"exec {sys.executable} -m exporter {arguments} >&-"
    ended = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    expected = f"{PROGRAM}: cannot write to the standard output: Bad file descriptor"
    assert ended.stderr.splitlines()[-1] == expected
    assert "Traceback" not in ended.stderr


def test_errors_that_cannot_be_written_leave_the_status() -> None:
    command = f"exec {sys.executable} -m exporter --nothing <&- >&- 2>&-"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--nonsense"], "unknown flag '--nonsense'; see listen-queue-exporter show --help"),
        (["--state=ok"], "--state would leave out what --check looks for; leave it out"),
        (["--config.file=/nowhere.yaml"], "/nowhere.yaml: cannot be read: no such file"),
        (["--url=nowhere"], "--url: 'nowhere' is no address of an exporter"),
        (["--url=http://127.0.0.1:1"], "no exporter answers at http://127.0.0.1:1"),
    ],
)
def test_a_check_that_fails_is_unknown_in_one_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a monitoring plugin 1 is a warning, and 2 is critical."""
    assert main(["show", "--check", *arguments]) == 3
    out, err = capsys.readouterr()
    assert out.startswith(f"LISTEN QUEUE UNKNOWN - {reason}")
    assert (out.count("\n"), err) == (1, "")


def test_a_check_whose_output_cannot_be_written_is_unknown() -> None:
    command = f"exec {sys.executable} -m exporter show --check --nonsense >&-"
    ended = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 3
    assert "cannot write to the standard output" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_check_whose_reader_is_gone_is_unknown() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = run("show", "--check", "--nonsense", stdout=writer)
    os.close(writer)
    assert (ended.returncode, "Traceback" in ended.stderr) == (3, False)


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (
            ("host", "listing"),
            {"prometheus_client", "urllib.request", "http.client", "csv", "exporter.cli.daemon"},
        ),
        (
            ("running_exporter", "listing", "plugin", "csv_rows"),
            {"yaml", "asyncio", "exporter.kernel.family", "exporter.sampling.sampler", "prometheus_client"},
        ),
    ],
)
def test_show_imports_no_more_than_it_needs(modules: tuple[str, ...], absent: set[str]) -> None:
    """Imports are most of the time that it takes."""
    imports = "; ".join(f"import exporter.cli.show.{name}" for name in ("command", *modules))
    ended = subprocess.run(
        [sys.executable, "-c", f"{imports}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(ended.stdout.split()).isdisjoint(absent)
