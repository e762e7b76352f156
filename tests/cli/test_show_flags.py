"""The flags of `show`."""

from __future__ import annotations

import pytest

from exporter.cli.flags import parse
from exporter.cli.show_flags import OutputFormat, ShowFlags, is_check
from exporter.errors import UsageError


def test_listeners_are_chosen_by_labels_and_states() -> None:
    argv = ["show", "--port=80", "--process", "nginx*", "--state=full,critical", "--for=2s", "--members"]
    assert parse(argv) == ShowFlags(
        OutputFormat.TABLE,
        None,
        patterns=(("port", "80"), ("process", "nginx*")),
        states=("full", "critical"),
        seconds=2.0,
        members=True,
    )


@pytest.mark.parametrize(
    ("flag", "kind"),
    [
        ("--json", OutputFormat.JSON),
        ("--csv", OutputFormat.CSV),
        ("--check", OutputFormat.CHECK),
        ("--prometheus", OutputFormat.PROMETHEUS),
    ],
)
def test_there_is_one_flag_for_each_format(flag: str, kind: OutputFormat) -> None:
    assert parse(["show", flag]) == ShowFlags(kind, None)


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--json", "--csv"], "--csv: not allowed with argument --json"),
        (["--state=bad"], "--state: 'bad' is none of full, critical, warning, ok"),
        (["--state=full,"], "--state: '' is none of full, critical, warning, ok"),
        (["--for=0s"], "--for: '0s' is no duration from 10ms to 24h, such as 10s"),
        (["--check", "--state=ok"], "--state would leave out what --check looks for; leave it out"),
        (
            ["--csv", "--members"],
            "--members is for the table and --json; --csv has one row for each listener",
        ),
        (["--url=http://x", "--for=2s"], "--for is for this host; the exporter at --url has"),
        (
            ["--url=http://x", "--config.file=c"],
            "--config.file is for this host; the exporter at --url has its own",
        ),
        (
            ["--prometheus", "--port=80"],
            "--prometheus prints all metrics of this host; leave the other flags",
        ),
        (["--prometheus", "--url=http://x"], "--prometheus prints all metrics of this host"),
        (["--prometheus", "--for=2s"], "--prometheus prints all metrics of this host"),
        (["--prometheus", "--members"], "--prometheus prints all metrics of this host"),
    ],
)
def test_flags_that_contradict_each_other_are_one_line(flags: list[str], line: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(["show", *flags])
    assert str(caught.value).startswith(line)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["show", "--check"], True),
        (["show", "--nonsense", "--check"], True),
        (["show", "--check=1"], True),
        (["show", "--json"], False),
        (["doctor", "--check"], False),
        ([], False),
    ],
)
def test_a_check_is_known_even_where_the_other_arguments_are_wrong(
    argv: list[str], *, expected: bool
) -> None:
    assert is_check(argv) is expected
