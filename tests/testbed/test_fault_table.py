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
    pytester.runpytest_subprocess(*arguments).assert_outcomes(passed=2, failed=1)
    assert path.read_text().splitlines() == [
        "before",
        "<!-- faults: made by `make reliability` -->",
        "",
        "| provoked by | promise | result |",
        "|---|---|---|",
        "| a &#124; pipe | none is lost | **broken**, 3 of 4 |",
        "| a flood | an answer | kept, 0.2 s, 31 MB |",
        "",
        "<!-- end of faults -->",
        "after",
    ]


def test_a_document_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="has no lines"):
        replaced("nothing\n", [Row("a flood", "an answer", passed=True, figures=())])
