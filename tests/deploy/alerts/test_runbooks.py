"""Each alert has a runbook, and every command in it works on this kernel and shows what the text says."""

from __future__ import annotations

import json
import os
import re
from contextlib import ExitStack
from pathlib import Path
from signal import SIGHUP

import pytest

from testbed import namespace, programs
from testbed.daemon import running
from testbed.waiting import equals, until
from tests.deploy.alerts import shipped
from tests.docs.commands import BACKLOG, NSTAT, PORT, SYN_RECV, full_queues, nstat, output
from tests.e2e.services import nginx
from tests.integration import listening_sockets

_TEXT = shipped.RUNBOOKS.read_text()
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_QUERY = re.compile(r"^ *```promql\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(#([^)]+)\)")
_LINES = {line.strip() for block in _BLOCK.findall(_TEXT) for line in block.splitlines()}
# No systemd runs where the tests run.
COMMANDS = sorted(line for line in _LINES if not line.startswith(("systemctl", "journalctl")))
NAMES = pytest.mark.parametrize("name", shipped.alert_names())


def section(heading: str) -> str:
    """The text below a heading, up to the next one of the same level."""
    _, _, rest = f"\n{_TEXT}".partition(f"\n## {heading}\n")
    return rest.partition("\n## ")[0]


@NAMES
def test_each_section_says_what_to_do_first_and_what_not_to_do(name: str) -> None:
    text = section(name)
    assert "**First**" in text or "**First:**" in text
    assert "**Do not**" in text
    assert "```sh" in text


def test_every_alert_has_a_section_and_no_heading_occurs_twice() -> None:
    headings = re.findall(r"^## (.+)$", _TEXT, re.MULTILINE)
    assert sorted(heading for heading in headings if heading.startswith("Listen")) == shipped.alert_names()
    assert len(set(shipped.anchors(shipped.RUNBOOKS))) == len(shipped.anchors(shipped.RUNBOOKS))


def test_the_index_above_the_sections_has_every_alert_and_every_section_that_several_use() -> None:
    top, *_ = _TEXT.partition("\n## ")
    headings = re.findall(r"^## (.+)$", _TEXT, re.MULTILINE)
    assert {anchor.replace(" ", "-").lower() for anchor in headings} <= set(_LINK.findall(top))


def test_promtool_accepts_every_query(tmp_path: Path) -> None:
    queries = [line for block in _QUERY.findall(_TEXT) for line in block.splitlines()]
    assert queries
    file = tmp_path / "queries.yml"
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(queries)} rules found" in programs.output("promtool", "check", "rules", str(file))


def test_every_link_has_a_target() -> None:
    links = set(_LINK.findall(_TEXT))
    assert links <= set(shipped.anchors(shipped.RUNBOOKS))
    assert len(links) > 20


def test_every_metric_that_it_names_is_documented() -> None:
    metric = re.compile(r"listen_queue_\w+")
    documented = set(metric.findall((shipped.ROOT / "docs/metrics.md").read_text()))
    assert set(metric.findall(_TEXT)) <= documented


@pytest.mark.netns
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_works(command: str, tmp_path: Path) -> None:
    with full_queues(tmp_path) as placeholders, ExitStack() as stack:
        if "nsenter" in command:
            placeholders["PID"] = placeholders["INSIDE"]
        if "localhost:10511" in command:
            stack.enter_context(running())
        assert output(command, **placeholders).strip()


@pytest.mark.netns
def test_ss_shows_a_full_queue_as_the_text_says(tmp_path: Path) -> None:
    """Recv-Q, the length, is one more than Send-Q, the backlog, also in another namespace."""
    with full_queues(tmp_path) as placeholders:
        inside = placeholders | {"PID": placeholders["INSIDE"]}
        for command, values in (
            ("ss -ltnp 'sport = :PORT'", placeholders),
            ("ss -lxnp src SOCKET", placeholders),
            ("ss -lxnp src @NAME", placeholders),
            ("ip netns exec NETNS ss -ltnp 'sport = :PORT'", placeholders),
            ("nsenter -t PID -n ss -ltnp 'sport = :PORT'", inside),
        ):
            assert command in COMMANDS
            (line,) = output(command, **values).splitlines()[1:]
            assert re.search(rf"LISTEN +{BACKLOG + 1} +{BACKLOG} .*users:", line), line


@pytest.mark.netns
def test_of_a_folded_listener_the_single_ones_are_listed_with_the_longest_queue_first(tmp_path: Path) -> None:
    command = """ss -Hltnp | grep -F '"PROCESS"' | sort -k2,2rn | head"""
    assert command in COMMANDS
    with full_queues(tmp_path) as placeholders, listening_sockets.tcp("0.0.0.0", 0, 9) as empty:
        lines = [line.split() for line in output(command, **placeholders).splitlines()]
        assert [(int(length), address.rpartition(":")[2]) for _, length, _, address, *_ in lines] == [
            (BACKLOG + 1, str(PORT)),
            (0, str(empty.getsockname()[1])),
        ]


@pytest.mark.netns
def test_the_budget_is_shown_without_help_and_with_all_that_the_text_says() -> None:
    (command,) = (each for each in COMMANDS if "source_cpu" in each)
    with running():
        lines = output(command).splitlines()
    names = {re.split("[ {]", line)[0].removeprefix("listen_queue_exporter_") for line in lines}
    assert names >= {
        "cpu_budget_ratio",
        "cpu_budget_exceeded_seconds_total",
        "cpu_seconds_total",
        "source_cpu_seconds_total",
        "sample_interval_seconds",
    }
    assert not any(line.startswith("#") for line in lines)


@pytest.mark.netns
def test_connections_that_were_not_accepted_are_those_without_a_process() -> None:
    """Those whose clients have closed them too."""
    command = "ss -tnp state established state close-wait 'sport = :PORT' | grep -v users:"
    assert command in COMMANDS
    with listening_sockets.tcp("127.0.0.1", PORT, 9) as listener:
        clients = listening_sockets.clients(listener, 5)
        accepted = listening_sockets.accept(listener, 2)
        clients[4].close()
        shown = until(lambda: output(command, PORT=PORT), lambda text: text.count(f"127.0.0.1:{PORT} ") == 3)
        assert shown.count("CLOSE-WAIT") == 1
        for each in (*clients, *accepted):
            each.close()


@pytest.mark.netns
def test_syn_recv_connections_are_counted_and_their_sources_listed(tmp_path: Path) -> None:
    with full_queues(tmp_path) as placeholders:
        count = "ss -Htn state syn-recv 'sport = :PORT' | wc -l"
        (sources,) = (each for each in COMMANDS if "syn-recv" in each and "uniq" in each)
        # Each source once, and none of them times out between the two commands: that takes a minute.
        assert int(output(count, **placeholders)) == SYN_RECV
        listed = [line.split() for line in output(sources, **placeholders).splitlines()]
        assert [int(number) for number, _ in listed] == [SYN_RECV]
        assert all(address.startswith("10.99.") for _, address in listed)


@pytest.mark.netns
def test_a_name_with_question_marks_for_what_ss_does_not_take_finds_the_one_socket(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    names = ("[a] x.sock", "a x.sock", "\0[1]\n b", "\0001\n b")
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(listening_sockets.unix(name))
        for command, label, name in (
            ("ss -lxnp src SOCKET", "[a] x.sock", "[a] x.sock"),
            ("ss -lxnp src @NAME", r"[1]\x0a b", "@[1]\n b"),
        ):
            assert command in COMMANDS
            quoted = command.replace("@NAME", "'@NAME'").replace("SOCKET", "'SOCKET'")
            written = re.sub(r"\\x[0-9a-f]{2}|[\[ ]", "?", label)
            shown = output(quoted, SOCKET=written, NAME=written)
            assert f" {name} " in shown
            assert shown.count("LISTEN") == 1


@pytest.mark.netns
def test_nstat_counts_a_client_that_was_dropped(tmp_path: Path) -> None:
    with full_queues(tmp_path) as placeholders:
        assert NSTAT in COMMANDS
        counted = nstat()
        assert counted["TcpExtListenOverflows"] >= 1
        assert counted["TcpExtListenDrops"] >= counted["TcpExtListenOverflows"]
        command = "ss -ltnm 'sport = :PORT'"
        assert command in COMMANDS
        assert re.search(r"skmem:\(.*,d[1-9]\d*\)", output(command, **placeholders))


@pytest.mark.netns
def test_a_larger_somaxconn_is_used_when_the_program_listens_again() -> None:
    namespace.write_sysctl("net.core.somaxconn", 100)
    with listening_sockets.tcp("127.0.0.1", PORT, 4000) as listener:
        namespace.write_sysctl("net.core.somaxconn", 3000)
        assert backlog() == 100
        listener.listen(4000)
        assert backlog() == 3000


@pytest.mark.netns
def test_a_new_namespace_has_a_somaxconn_of_its_own() -> None:
    kernels = Path("/proc/sys/net/core/somaxconn").read_text()
    namespace.write_sysctl("net.core.somaxconn", 100)
    assert output("unshare -n cat /proc/sys/net/core/somaxconn") == kernels


@pytest.mark.netns
def test_a_reload_changes_the_backlog_of_nginx(tmp_path: Path) -> None:
    service = nginx.service(tmp_path, port=PORT, backlog=11)
    with service.running() as program:
        assert backlog() == 11
        config = tmp_path / "nginx.conf"
        config.write_text(config.read_text().replace("backlog=11", "backlog=12"))
        program.signal(SIGHUP)
        until(backlog, equals(12))


def backlog() -> int:
    return int(output("ss -Hltn 'sport = :PORT'", PORT=PORT).split()[2])
