"""The table of faults is made by the run of their tests."""

from __future__ import annotations

import pytest

from testbed.fault_table import Row, replaced

DOCUMENT = "before\n<!-- faults: made by `make reliability` -->\nold\n<!-- end of faults -->\nafter\n"
TESTS = """
import pytest
from testbed import figures

@pytest.mark.fault("a flood", "an answer")
@pytest.mark.netns
def test_b():
    figures.note("0.2 s")
    figures.note("31 MB")

@pytest.mark.fault("a | pipe", "none is lost")
def test_a():
    figures.note("3 of 4")
    assert False

@pytest.mark.fault("a file", "a line")
@pytest.mark.parametrize("kind", "bacd")
def test_c(kind):
    if kind == "c":
        figures.note("2 lines")

@pytest.mark.fault("a file", "a line")
def test_d():
    pass

@pytest.mark.fault("a TUN device", "a packet")
def test_e():
    pytest.skip("there is none")

def test_of_no_fault():
    figures.note("nobody asks")
"""


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_run_writes_it_into_the_document(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    path = pytester.path / "reliability.md"
    path.write_text(DOCUMENT)
    pytester.makepyfile(TESTS)
    plugins = ("-p", "xdist", "-p", "pytest_timeout", "-p", "testbed.plugin", "-p", "testbed.fault_table")
    arguments = (*plugins, f"--fault-table={path}", workers)
    pytester.runpytest_subprocess(*arguments).assert_outcomes(passed=7, failed=1, skipped=1)
    assert path.read_text().splitlines() == [
        "before",
        "<!-- faults: made by `make reliability` -->",
        "",
        "| provoked by | promise | result |",
        "|---|---|---|",
        "| a &#124; pipe | none is lost | **broken**, 3 of 4 |",
        "| a flood | an answer | kept, 0.2 s, 31 MB |",
        "| a file | a line | kept (3 cases) |",
        "| a file | a line | kept, 2 lines |",
        "| a file | a line | kept |",
        "| a TUN device | a packet | could not be provoked |",
        "",
        "<!-- end of faults -->",
        "after",
    ]


def test_a_document_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="has no lines"):
        replaced("nothing\n", [Row("test_a", "a flood", "an answer", "passed", ())])
