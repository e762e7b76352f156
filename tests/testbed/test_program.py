"""A program of a test: its log, waiting for it, and that it leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM

import pytest

from testbed import privileges, process_tree
from testbed.program import Program
from testbed.waiting import equals, until

# Writes the PID of a child in a session of its own, which ignores SIGTERM. It starts no other: a shell in
# vfork(2) does not stop, and a child that ends by itself may be gone when it is to be stopped.
_FORKS = """\
setsid sh -c 'trap "" TERM; echo $$; exec sleep 1000' &
wait
"""


def state(pid: int) -> str:
    """The state of a process (proc(5)), empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def shell(script: str, folder: Path, **options: object) -> Program:
    return Program(["sh", "-c", script], folder / "script.log", **options)  # type: ignore[arg-type]


@pytest.mark.netns
def test_what_it_writes_is_its_log_and_its_folder_is_that_of_the_log(tmp_path: Path) -> None:
    with shell("pwd; echo wrong >&2; sleep 1000", tmp_path) as program:
        until(lambda: program.log, equals(f"{tmp_path}\nwrong\n"))
        program.expect_running()


@pytest.mark.netns
def test_the_end_of_the_log_is_printed_where_the_block_raises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        with shell("seq 100; sleep 1000", tmp_path) as program:
            program.wait_until(lambda: "100" in program.log)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    printed = capsys.readouterr().err
    assert printed.startswith("--- script wrote ---\n61\n62\n")
    assert printed.endswith("\n99\n100\n")


@pytest.mark.netns
def test_descendants_end_with_it(tmp_path: Path) -> None:
    with shell(_FORKS, tmp_path) as program:
        child = int(until(lambda: program.log, bool))
        assert child in process_tree.descendants(program.pid)
    until(lambda: state(child) in {"", "Z"}, bool)
    assert state(program.pid) == ""


@pytest.mark.netns
def test_waiting_for_a_program_that_ends_fails_the_test(tmp_path: Path) -> None:
    with (
        shell("echo no; exit 3", tmp_path) as program,
        pytest.raises(pytest.fail.Exception, match=r"script exited with 3:\nno\n"),
    ):
        program.wait_until(lambda: False)


@pytest.mark.netns
def test_stop_sends_a_signal_and_returns_the_exit_status(tmp_path: Path) -> None:
    for number in (SIGTERM, SIGINT, SIGKILL):
        with Program(["sleep", "1000"], tmp_path / "sleep.log") as program:
            assert program.stop(number) == -number
            with pytest.raises(pytest.fail.Exception, match=f"sleep exited with -{number}"):
                program.expect_running()
    with shell("exit 3", tmp_path) as program:
        assert program.wait() == 3


@pytest.mark.netns
def test_user_environment_and_folder_can_be_chosen_and_a_function_called_before(tmp_path: Path) -> None:
    with shell(
        "pwd; id -u; id -G; echo $WORD; umask",
        tmp_path,
        cwd=Path("/"),
        env={"WORD": "word", "PATH": os.environ["PATH"]},
        user=privileges.NOBODY,
        before_exec=set_umask,
    ) as program:
        program.wait()
    assert program.log.split() == ["/", str(privileges.NOBODY), str(privileges.NOBODY), "word", "0027"]


def set_umask() -> None:
    os.umask(0o027)


@pytest.mark.netns
def test_a_tree_stops_and_goes_on(tmp_path: Path) -> None:
    with shell(_FORKS, tmp_path) as program:
        until(lambda: program.log, bool)
        tree = process_tree.descendants(program.pid)
        process_tree.stop(program.pid)
        until(lambda: {state(pid) for pid in tree}, equals({"T"}))
        process_tree.resume(program.pid)
        until(lambda: {state(pid) for pid in tree} <= {"S", "R"}, bool)
        process_tree.stop_last_child(program.pid)
        until(lambda: [state(pid) for pid in process_tree.descendants(program.pid)].count("T"), equals(1))
