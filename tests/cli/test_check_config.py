"""The output of check-config."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.cli.check_config import check
from exporter.cli.check_config_flags import CheckConfigFlags
from exporter.config.model import Config, Export
from exporter.kernel.family import TCP, UNIX
from exporter.metrics.series_count import exporter_series_count, namespace_series_count, series_count
from exporter.yamlfile.errors import ConfigError

RULE = "{{name: {name}, match: {{port: {port}}}}}"
RULES = """
defaults: {export: full}
rules:
  - {name: edge, match: {port: 443}}
  - {name: a long name, match: {protocol: unix}, export: lean}
  - {name: loopback, match: {process: x}, export: false}
"""


def printed(folder: Path, capsys: pytest.CaptureFixture[str], text: str) -> list[str]:
    """The lines about a file with this text, without its path."""
    file = folder / "c.yaml"
    file.write_text(text)
    assert check(CheckConfigFlags(str(file))) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out.removeprefix(f"{file}: ").splitlines()


@pytest.mark.parametrize(("ports", "count"), [([], "0 rules"), ([80], "1 rule"), ([80, 443], "2 rules")])
def test_a_valid_file_is_reported_with_the_number_of_its_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ports: list[int], count: str
) -> None:
    rules = ", ".join(RULE.format(name=f"r{port}", port=port) for port in ports)
    lines = printed(tmp_path, capsys, f"rules: [{rules}]\n")
    assert lines[0] == f"valid, {count}"


def test_the_defaults_are_an_empty_mapping(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(tmp_path, capsys, "{}\n") == printed(tmp_path, capsys, "rules: []")


def test_each_rule_has_the_number_of_series_of_its_listeners(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A protocol that the rule does not match has none of them."""
    tcp, unix = (series_count(Export.FULL, syn_queue=family.has_syn_queue) for family in (TCP, UNIX))
    lean = series_count(Export.LEAN, syn_queue=False)
    header, *rows = printed(tmp_path, capsys, RULES)[2:-2]
    names = ["RULE         ", "EXPORT", "SERIES OF A TCP LISTENER", "SERIES OF A UNIX LISTENER"]
    assert header == "  ".join(names)
    assert [(row[:13].strip(), *row[13:].split()) for row in rows] == [
        ("edge", "full", str(tcp), "-"),
        ('"a long name"', "lean", "-", str(lean)),
        ("loopback", "false", "0", "0"),
        ("defaults", "full", str(tcp), str(unix)),
    ]
    assert {len(row) for row in rows} == {len(header)}


def test_series_beside_those_of_listeners_are_counted_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each rule has its four thresholds on the page."""
    of_defaults = exporter_series_count(Config())
    *_, empty, last = printed(tmp_path, capsys, RULES)
    assert empty == ""
    assert last == (
        f"Besides these, each network namespace has {namespace_series_count()} series, "
        f"and the exporter {of_defaults + 3 * 4}."
    )


def test_a_wrong_file_is_an_error_and_nothing_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("colour: red\nsampling: 7\n")
    with pytest.raises(ConfigError) as caught:
        check(CheckConfigFlags(str(file)))
    assert len(caught.value.lines) == 2
    assert capsys.readouterr() == ("", "")


HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
WEB = f"basic_auth_users: {{prometheus: {HASH}}}\nrate_limit: {{interval: 100ms, burst: 5}}\n"


def test_a_web_configuration_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "web.yml"
    file.write_text(WEB)
    assert check(CheckConfigFlags(None, str(file))) == 0
    assert capsys.readouterr().out == (
        f"{file}: valid, plain HTTP, 1 user with a password, a request every 0.1 s, 5 at once\n"
    )


def test_errors_in_both_files_come_together(tmp_path: Path) -> None:
    """Certificates that a web configuration names are read as well."""
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: no.crt, key_file: no.key}\n")
    (tmp_path / "c.yaml").write_text("nonsense: 1\n")
    with pytest.raises(ConfigError) as caught:
        check(CheckConfigFlags(str(tmp_path / "c.yaml"), str(tmp_path / "web.yml")))
    certificate, key, nonsense = caught.value.lines
    assert "web.yml:1:32: tls_server_config.cert_file: " in certificate
    assert "web.yml:1:50: tls_server_config.key_file: " in key
    assert "c.yaml:1:1: nonsense: unknown key" in nonsense
