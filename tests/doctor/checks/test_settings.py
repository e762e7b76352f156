"""Settings of network namespaces, each set in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.doctor.checks import settings
from exporter.doctor.finding import Certainty, FindingSeverity
from testbed.namespace import write_sysctl
from testbed.netns import Namespaces
from tests.doctor.diagnosis import found as found_by_command
from tests.doctor.watching import findings
from tests.integration import listening_sockets
from tests.integration.other_namespaces import only

_ALL = {
    settings.SOMAXCONN_LOW,
    settings.COOKIES_OFF,
    settings.COOKIES_FORCED,
    settings.ABORT,
    settings.SYN_BACKLOG,
}


@pytest.mark.netns
def test_the_defaults_of_the_kernel_are_no_finding() -> None:
    with listening_sockets.tcp("127.0.0.1", 8080, backlog=64):
        assert not findings().keys() & _ALL


@pytest.mark.netns
@pytest.mark.parametrize(
    ("name", "value", "finding", "others"),
    [
        ("net.ipv4.tcp_syncookies", 0, settings.COOKIES_OFF, {settings.SYN_BACKLOG}),
        ("net.ipv4.tcp_syncookies", 2, settings.COOKIES_FORCED, set()),
        ("net.ipv4.tcp_abort_on_overflow", 1, settings.ABORT, set()),
    ],
)
def test_a_setting_is_found(name: str, value: int, finding: str, others: set[str]) -> None:
    with listening_sockets.tcp("127.0.0.1", 8080, backlog=64):
        write_sysctl(name, value)
        found = findings()
    assert finding in found
    assert not found.keys() & (_ALL - {finding} - others)
    assert (found[finding].severity, found[finding].certainty) == (FindingSeverity.WARNING, Certainty.CERTAIN)
    assert found[finding].namespaces == ("host",)


@pytest.mark.netns
def test_settings_of_tcp_do_not_matter_where_nobody_listens_on_it() -> None:
    write_sysctl("net.ipv4.tcp_syncookies", 0)
    with listening_sockets.unix("\0app"):
        assert not findings().keys() & _ALL


@pytest.mark.netns
def test_max_syn_backlog_binds_only_without_cookies_and_below_the_backlog() -> None:
    write_sysctl("net.ipv4.tcp_max_syn_backlog", 16)
    with listening_sockets.tcp("127.0.0.1", 8080, backlog=64):
        assert settings.SYN_BACKLOG not in findings()
        write_sysctl("net.ipv4.tcp_syncookies", 0)
        assert findings()[settings.SYN_BACKLOG].evidence[0] == (
            "it is 16, so a listener has 13 half-open connections at most"
        )
    with listening_sockets.tcp("127.0.0.1", 8080, backlog=12):
        assert settings.SYN_BACKLOG not in findings()


@pytest.mark.netns
def test_a_namespace_with_a_lower_somaxconn_than_this_one(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(only("web"))
    flag = f"--config.file={config}"
    with Namespaces() as namespaces:
        namespaces.named("web").listen_tcp(80)
        assert settings.SOMAXCONN_LOW not in found_by_command(flag, namespaces=True)
        write_sysctl("net.core.somaxconn", 8192)
        finding = found_by_command(flag, namespaces=True)[settings.SOMAXCONN_LOW]
    assert finding["title"] == "net.core.somaxconn is 4096 in one network namespace, and 8192 in this one"
    assert finding["severity"] == "note"
    assert finding["namespaces"] == ["web"]
