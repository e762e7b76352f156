"""The output of check-config."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.cli.check_config import check
from exporter.cli.flags import CheckConfigFlags
from exporter.config.errors import ConfigError

RULE = "{{name: {name}, match: {{port: {port}}}}}"


@pytest.mark.parametrize(("ports", "count"), [([], "0 rules"), ([80], "1 rule"), ([80, 443], "2 rules")])
def test_a_valid_file_is_reported_with_the_number_of_its_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ports: list[int], count: str
) -> None:
    file = tmp_path / "c.yaml"
    rules = ", ".join(RULE.format(name=f"r{port}", port=port) for port in ports)
    file.write_text(f"rules: [{rules}]\n" if ports else "")
    assert check(CheckConfigFlags(str(file))) == 0
    assert capsys.readouterr() == (f"{file}: valid, {count}\n", "")


def test_a_wrong_file_is_an_error_and_nothing_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("colour: red\nsampling: 7\n")
    with pytest.raises(ConfigError) as caught:
        check(CheckConfigFlags(str(file)))
    assert len(caught.value.lines) == 2
    assert capsys.readouterr() == ("", "")
