"""The command that runs the load."""

from __future__ import annotations

import pytest

from tests.soak.__main__ import main


def test_a_run_that_is_too_short_to_tell_anything_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--minutes", "1"])
    assert end.value.code == 2
    assert (
        "--minutes has to be at least 4: before that the load itself still grows" in capsys.readouterr().err
    )
