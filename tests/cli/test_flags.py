"""Flags and subcommands, and the message for each wrong use."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import __version__
from exporter.cli.check_config_flags import CheckConfigFlags
from exporter.cli.doctor_flags import DoctorFlags
from exporter.cli.flags import RunFlags, parse
from exporter.cli.show_flags import OutputFormat, ShowFlags
from exporter.errors import UsageError

_DEFAULTS = RunFlags(
    config_file=None,
    web_config_file=None,
    listen_addresses=(),
    telemetry_path="/metrics",
    lifecycle=False,
    max_connections=512,
    max_requests=40,
    max_header_bytes=16384,
    header_seconds=5.0,
    body_seconds=5.0,
    page_seconds=10.0,
    idle_seconds=75.0,
    socket_mode=0o660,
    socket_owner=None,
    log_level="info",
    log_format="logfmt",
)
_EVERY_FLAG = [
    ("--config.file", "a.yaml"),
    ("--config.auto-reload-interval", "30s"),
    ("--web.config.file", "web.yml"),
    ("--web.listen-address", "127.0.0.1:1"),
    ("--web.listen-address", "[::1]:2"),
    ("--web.telemetry-path", "/m"),
    ("--web.max-connections", "7"),
    ("--web.max-requests", "0"),
    ("--web.max-header-bytes", "2048"),
    ("--web.header-timeout", "500ms"),
    ("--web.body-timeout", "2s"),
    ("--web.page-timeout", "1m"),
    ("--web.idle-timeout", "1.5h"),
    ("--web.socket-mode", "600"),
    ("--web.socket-owner", "root:0"),
    ("--log.level", "debug"),
    ("--log.format", "json"),
]


def test_defaults() -> None:
    assert parse([]) == _DEFAULTS


@pytest.mark.parametrize("separate", [True, False])
def test_every_flag(separate: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    """`--flag value` and `--flag=value` are the same; several addresses replace the default."""
    argv = ["--web.enable-lifecycle"]
    for flag, value in _EVERY_FLAG:
        argv += [flag, value] if separate else [f"{flag}={value}"]
    assert parse(argv) == RunFlags(
        config_file="a.yaml",
        web_config_file="web.yml",
        listen_addresses=("127.0.0.1:1", "[::1]:2"),
        telemetry_path="/m",
        lifecycle=True,
        max_connections=7,
        max_requests=0,
        max_header_bytes=2048,
        header_seconds=0.5,
        body_seconds=2.0,
        page_seconds=60.0,
        idle_seconds=5400.0,
        socket_mode=0o600,
        socket_owner="root:0",
        log_level="debug",
        log_format="json",
        auto_reload_seconds=30.0,
    )


def test_a_repeatable_flag_is_empty_at_each_parse() -> None:
    parse(["--web.listen-address=:1"])
    assert parse([]) == _DEFAULTS


@pytest.mark.parametrize(
    ("argv", "flags"),
    [
        (["check-config", "a.yaml"], CheckConfigFlags("a.yaml")),
        (["check-config", "--", "-a.yaml"], CheckConfigFlags("-a.yaml")),
        (["check-config", "--web", "web.yml"], CheckConfigFlags(None, "web.yml")),
        (["check-config", "--web=web.yml", "a.yaml"], CheckConfigFlags("a.yaml", "web.yml")),
        (["show"], ShowFlags(OutputFormat.TABLE, None)),
        (["show", "--json", "--config.file", "a.yaml"], ShowFlags(OutputFormat.JSON, "a.yaml")),
        (["show", "--prometheus"], ShowFlags(OutputFormat.PROMETHEUS, None)),
        (["show", "--clients"], ShowFlags(OutputFormat.TABLE, None, clients=10)),
        (["show", "--clients=3", "--json"], ShowFlags(OutputFormat.JSON, None, clients=3)),
        (["doctor"], DoctorFlags(json=False, seconds=3.0, config_file=None)),
        (
            ["doctor", "--json", "--for=500ms", "--config.file=a.yaml"],
            DoctorFlags(json=True, seconds=0.5, config_file="a.yaml"),
        ),
    ],
)
def test_subcommands(argv: list[str], flags: CheckConfigFlags | ShowFlags | DoctorFlags) -> None:
    assert parse(argv) == flags


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--config"], "unknown flag '--config'; did you mean --config.file?"),
        (["-config.file", "a"], "unknown flag '-config.file'; did you mean --config.file?"),
        (["-help"], "unknown flag '-help'; did you mean --help?"),
        (
            ["--web.listen-adress=:1"],
            "unknown flag '--web.listen-adress'; did you mean --web.listen-address?",
        ),
        (["--max-requests", "1"], "unknown flag '--max-requests'; did you mean --web.max-requests?"),
        (["--web.config.fil=a"], "unknown flag '--web.config.fil'; did you mean --web.config.file?"),
        (["--web.config.file"], "--web.config.file: needs a value"),
        (["--nothing"], "unknown flag '--nothing'; see listen-queue-exporter --help"),
        (["--a\nb"], r"unknown flag '--a\nb'; see listen-queue-exporter --help"),
        (["--config.file"], "--config.file: needs a value"),
        (["--config.file", "--json"], "--config.file: needs a value"),
        (["show", "--json", "--prometheus"], "--prometheus: not allowed with argument --json"),
        (["--config.file="], "--config.file: needs a value, and got an empty one"),
        (["--web.enable-lifecycle=yes"], "--web.enable-lifecycle: takes no value, and got 'yes'"),
        (["--web.max-requests=-1"], "--web.max-requests: '-1' is no whole number from 0 up"),
        (["--web.max-connections=0"], "--web.max-connections: '0' is too few; at least 1"),
        (["--web.max-header-bytes=9"], "--web.max-header-bytes: '9' is not from 1024 to 1048576 bytes"),
        (["--web.idle-timeout=5"], "--web.idle-timeout: '5' is no duration from 10ms to 24h, such as 10s"),
        (["--web.idle-timeout=0s"], "--web.idle-timeout: '0s' is no duration from 10ms to 24h, such as 10s"),
        (
            ["--web.idle-timeout=25h"],
            "--web.idle-timeout: '25h' is no duration from 10ms to 24h, such as 10s",
        ),
        (
            ["--web.socket-mode=888"],
            "--web.socket-mode: '888' is no mode of three octal digits, such as 0660",
        ),
        (["--web.max-requests=1_0"], "--web.max-requests: '1_0' is no whole number from 0 up"),
        (["--web.max-requests=x\ny"], r"--web.max-requests: 'x\ny' is no whole number from 0 up"),
        (
            ["--web.max-requests=\N{ARABIC-INDIC DIGIT ONE}"],
            "--web.max-requests: '\N{ARABIC-INDIC DIGIT ONE}' is no whole number from 0 up",
        ),
        (["--log.level=loud"], "--log.level: 'loud' is none of debug, info, warn, error"),
        (["--log.format=xml"], "--log.format: 'xml' is none of logfmt, json"),
        (["--log.level=info", "show"], "unexpected 'show'; a command comes first, before any flag"),
        (["--log.level=info", "more"], "unexpected argument 'more'; see listen-queue-exporter --help"),
        (["--"], "unexpected argument '--'; see listen-queue-exporter --help"),
        ([""], "unexpected argument ''; see listen-queue-exporter --help"),
        (["doctor", "--for=5"], "--for: '5' is no duration from 10ms to 24h, such as 10s"),
        (["doctr"], "unknown command 'doctr'; did you mean doctor?"),
        (["sho"], "unknown command 'sho'; did you mean show?"),
        (["chek-config"], "unknown command 'chek-config'; did you mean check-config?"),
        (["run"], "unknown command 'run'; see listen-queue-exporter --help"),
        (["check-config"], "FILE is missing"),
        (["check-config", ""], "FILE: needs a value, and got an empty one"),
        (
            ["check-config", "a", "b"],
            "unexpected argument 'b'; see listen-queue-exporter check-config --help",
        ),
        (["show", "--clients=0"], "--clients: '0' is not from 1 to 100"),
        (["show", "--clients=101"], "--clients: '101' is not from 1 to 100"),
        (["show", "--jsn"], "unknown flag '--jsn'; did you mean --json?"),
        (["show", "--version"], "unknown flag '--version'; see listen-queue-exporter show --help"),
    ],
)
def test_wrong_use_gets_one_line(argv: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The line says what is wrong and what to do; nothing is printed, and the exit status is 2."""
    with pytest.raises(UsageError) as caught:
        parse(argv)
    assert str(caught.value) == line
    assert caught.value.exit_status == 2
    assert capsys.readouterr() == ("", "")


_WORDS = st.sampled_from(
    ["show", "doctor", "check-config", "--json", "--config.file", "--log.level=info", "--", "-", "-x", "="]
)


@given(st.lists(st.one_of(_WORDS, st.text())))
def test_any_arguments_are_flags_or_an_error_of_one_line(argv: list[str]) -> None:
    try:
        flags = parse(argv)
    except UsageError as error:
        assert str(error)  # noqa: PT017  (either outcome is right)
        assert len(str(error).splitlines()) == 1  # noqa: PT017
    except SystemExit as end:
        assert end.code == 0  # noqa: PT017
    else:
        assert isinstance(flags, RunFlags | CheckConfigFlags | ShowFlags | DoctorFlags)


@pytest.mark.parametrize(
    "argv", [["--help"], ["-h"], ["show", "--help"], ["doctor", "--help"], ["check-config", "-h"]]
)
def test_help(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It has at most 80 columns, goes to the standard output, and the exit status is 0."""
    with pytest.raises(SystemExit) as caught:
        parse(argv)
    assert caught.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("usage: listen-queue-exporter")
    assert max(map(len, out.splitlines())) <= 80


def test_help_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Every flag and every subcommand."""
    with pytest.raises(SystemExit):
        parse(["--help"])
    out = capsys.readouterr().out
    names = {flag for flag, _ in _EVERY_FLAG} | {
        "--web.enable-lifecycle",
        "--version",
        "show",
        "check-config",
    }
    assert all(f"\n  {name} " in out for name in names)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--version"])
    assert caught.value.code == 0
    python = ".".join(map(str, sys.version_info[:3]))
    assert capsys.readouterr().out == f"listen-queue-exporter {__version__} (python {python})\n"


def test_modules_that_load_slowly_are_not_imported() -> None:
    script = "import sys, exporter.cli.flags; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "argparse" in loaded
    assert loaded.isdisjoint({"asyncio", "difflib", "logging", "socket", "yaml", "prometheus_client"})
