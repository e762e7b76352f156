"""The command fails in one line, with exit status 1 for a failure at run time and 2 for wrong use."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.integration import command, listening_sockets

WRONG = """\
sampling:
  interval: 50
  colour: red
rules:
  - name: edge
    match: {port: 70000}
"""
# Every error of the file above, in one run: its position and its key.
ERRORS = [(2, 13, "sampling.interval"), (3, 3, "sampling.colour"), (6, 19, "rules")]


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A file with several errors."""
    file = tmp_path / "wrong.yml"
    file.write_text(WRONG)
    return file


def expect_errors(ended: command.Completed, file: Path) -> None:
    """All errors of the wrong file, each with its position, and nothing else."""
    assert (ended.status, ended.output) == (2, "")
    found = [
        re.fullmatch(rf"{re.escape(str(file))}:(\d+):(\d+): (.+)", line) for line in ended.errors.splitlines()
    ]
    assert all(found), ended.errors
    places = [(int(error[1]), int(error[2]), error[3]) for error in found if error]
    assert [place[:2] for place in places] == [error[:2] for error in ERRORS], ended.errors
    assert all(place[2].startswith(error[2]) for place, error in zip(places, ERRORS, strict=True))


def expect_one_line(ended: command.Completed, status: int, *words: str) -> None:
    """Nothing but one line on stderr with these words."""
    assert (ended.status, ended.output) == (status, ""), ended
    assert len(ended.errors.splitlines()) == 1, ended.errors
    for word in words:
        assert word in ended.errors


@pytest.mark.netns
@pytest.mark.parametrize("address", ["127.0.0.1:10511", ":10511", "[::]:10511"])
def test_a_port_that_is_taken_is_one_line_and_status_1(address: str) -> None:
    with listening_sockets.tcp("::", 10511):
        expect_one_line(command.run(f"--web.listen-address={address}"), 1, "10511", "taken")


@pytest.mark.netns
def test_an_address_this_host_does_not_have_is_one_line_and_status_1() -> None:
    expect_one_line(command.run("--web.listen-address=192.0.2.1:10511"), 1, "192.0.2.1")


@pytest.mark.netns
@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-flag"],
        ["--web.listen-address"],
        ["--web.listen-address=nowhere"],
        ["--web.listen-address=127.0.0.1:99999"],
        ["--web.telemetry-path=metrics"],
        ["--web.telemetry-path=/-/ready"],
        ["--web.max-requests=-1"],
        ["--log.level=loud"],
        ["--log.format=xml"],
        ["stray"],
        ["show", "--no-such-flag"],
        ["check-config"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_line_and_status_2(arguments: list[str]) -> None:
    expect_one_line(command.run(*arguments), 2)


@pytest.mark.netns
@pytest.mark.parametrize(
    "arguments", [["--config.file={}"], ["show", "--config.file={}"], ["check-config", "{}"]]
)
def test_every_error_of_a_configuration_is_printed_with_its_position(
    arguments: list[str], wrong: Path
) -> None:
    expect_errors(command.run(*(each.format(wrong) for each in arguments)), wrong)


@pytest.mark.netns
def test_a_configuration_that_is_not_there_is_one_line_and_status_2(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yml"
    expect_one_line(command.run(f"--config.file={missing}"), 2, str(missing), "no such file")


@pytest.mark.netns
def test_a_configuration_that_may_not_be_read_is_one_line_and_status_2(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yml"
    secret.write_text("{}")
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        expect_one_line(command.run(f"--config.file={tmp_path}"), 2, str(tmp_path), "directory")
        return
    expect_one_line(command.run(f"--config.file={secret}"), 2, str(secret), "permission denied")


@pytest.mark.netns
def test_check_config_says_that_a_file_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "fine.yml"
    file.write_text("rules: [{name: one, match: {port: 80}}]\n")
    ended = command.run("check-config", str(file))
    assert (ended.status, ended.errors) == (0, "")
    assert ended.output.splitlines()[0] == f"{file}: valid, 1 rule"


@pytest.mark.netns
def test_show_prints_a_line_for_each_listener_with_the_fullest_first() -> None:
    idle, full = listening_sockets.tcp("::1", 8081), listening_sockets.tcp("127.0.0.1", backlog=1)
    with idle, full, listening_sockets.unix("\0queue"):
        clients = listening_sockets.clients(full, 2)
        ended = command.run("show")
        for client in clients:
            client.close()
    assert ended.status == 0
    # It may enter no other namespace, and says so.
    assert ended.errors.startswith("listen-queue-exporter: not seen: other network namespaces")
    lines = [line.split() for line in ended.output.splitlines()]
    assert lines[0][0] == "LISTENER"
    assert (lines[1][0], lines[1][-1]) == ("127.0.0.1:8080", "full")
    assert {line[0] for line in lines[2:]} == {"[::1]:8081", "@queue"}
