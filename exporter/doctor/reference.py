"""docs/doctor.md: every finding, and the settings of programs: `python -m exporter.doctor.reference`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Final

from exporter.doctor.backlog_settings.backlog_setting import BacklogSetting
from exporter.doctor.backlog_settings.data_stores import DATA_STORES
from exporter.doctor.backlog_settings.languages import LANGUAGES
from exporter.doctor.backlog_settings.servers import SERVERS
from exporter.doctor.checks import accepting, backlog, drops, reuseport, settings

# What is to be known of each finding beyond its text.
FINDINGS: Final[Mapping[str, str]] = {
    accepting.NOT_ACCEPTING: (
        "A service accepts nothing: those connections that came first all stayed during the watch, and its "
        "queue never became shorter. It is certain where at least three would have been accepted by a "
        "service that is as slow as their waits tell, or every process that holds the socket is stopped; "
        "else likely, with how long to watch. Of unix sockets, and where every client ended with RST, a "
        "queue that stays exactly full is the sign: likely where a process is stopped, has no file "
        "descriptor left, or none ran in the watch; else possible, in a watch of five seconds or more. It "
        "says what the processes do where that is the cause: stopped, no file descriptor left, waiting for "
        "a disk."
    ),
    accepting.QUEUE_FULL: "The accept queue of a TCP listener is or was full, and the service accepts.",
    accepting.UNIX_QUEUE_FULL: "The same of a unix socket, of which the kernel counts no lost client.",
    accepting.QUEUE_FILLING: "A queue was half full in every sample, or 90 % full in one.",
    reuseport.UNBALANCED: (
        "One of several sockets on a port (SO_REUSEPORT) is 90 % full or more, and the others hold less "
        "than half as many connections on average."
    ),
    drops.OVERFLOW: "An accept queue overflowed, as ListenOverflows says, though no sample saw one full.",
    drops.SYN_QUEUE: (
        "SYNs were dropped as a SYN queue was full, without SYN cookies: TCPReqQFullDrop rises; or "
        "ListenDrops rises, ListenOverflows does not, and half-open connections came near the limit that "
        "tcp_max_syn_backlog sets."
    ),
    drops.UNANSWERED: (
        "SYNs were dropped, and neither an accept queue overflowed nor was a SYN queue full: SYN cookies "
        "are on, or half-open connections are few. The host has no route to who sent them, or no memory."
    ),
    drops.COOKIES_SENT: "A SYN queue was full, and SYN cookies were sent in its place.",
    drops.DEFER_ACCEPT: "Drops of a listener rise since it uses TCP_DEFER_ACCEPT; no client is lost.",
    drops.OTHER: (
        "Drops of a listener rise, and those of its namespace do not, or as another listener is full: a scan "
        "of open ports, or repeated SYNs. SYNs to closed ports count nowhere."
    ),
    backlog.CAPPED: (
        "A queue fills, or lost clients before, and its backlog is net.core.somaxconn. A note where "
        "nothing waits, and the program asks for more by default."
    ),
    backlog.SMALL: (
        "A queue fills, or lost clients before, and its backlog is at most half of net.core.somaxconn."
    ),
    backlog.TINY: "A TCP listener on all addresses has a backlog of less than 16.",
    settings.SOMAXCONN_LOW: "Other network namespaces have a lower net.core.somaxconn than this one.",
    settings.COOKIES_OFF: "net.ipv4.tcp_syncookies is 0.",
    settings.COOKIES_FORCED: "net.ipv4.tcp_syncookies is 2.",
    settings.ABORT: "net.ipv4.tcp_abort_on_overflow is on.",
    settings.SYN_BACKLOG: (
        "SYN cookies are off, and net.ipv4.tcp_max_syn_backlog limits SYN queues to less than their "
        "backlogs would."
    ),
}
_HEAD: Final = """\
# doctor

<!-- Written by `python -m exporter.doctor.reference`; change exporter/doctor instead. -->

`listen-queue-exporter doctor` watches the queues of this host for three seconds (`--for=10s` for longer)
and says what is wrong, the worst first. It needs no running exporter, no configuration and no Prometheus.
`--json` prints the same for programs; the names below stay the same.

Each finding has a severity (`critical`: clients are lost or wait now; `warning`: they were lost, or will
be under load; `note`: nobody is lost by it), how sure it is (`certain`, `likely`, `possible`), the
evidence, and one thing to change. What could not be read is listed with what it takes to read it. The
exit status says whether the question was answered: 0 whatever was found, 1 where the listeners cannot be
read, 2 for a wrong flag or configuration.

As root it sees every network namespace and every process. As anybody else it sees the listeners of its
own namespace, and its own processes.

**What it cannot tell.** What happened before the watch shows only in counters; the exporter's metrics
have it with its time. A connection of a unix socket has no age: a service that accepts, and whose free
places are taken by clients that wait in `connect()`, looks like one that accepts nothing. A
namespace that has neither a process nor a name under `/run/netns` is not found.

## Findings
"""
_BACKLOG_SETTINGS: Final = """
## Settings of programs

What the backlog is called, and what it is where nobody sets it. The kernel lowers every one to
net.core.somaxconn. The rows without a program name cannot be told from outside.
"""


def reference() -> str:
    """Return the document."""
    return "".join(_lines()) + "\n"


def _lines() -> list[str]:
    lines = [_HEAD, "\n| finding | when |\n|---|---|\n"]
    lines += [f"| `{name}` | {meaning} |\n" for name, meaning in FINDINGS.items()]
    lines.append(_BACKLOG_SETTINGS)
    for title, rows in (
        ("Servers", SERVERS),
        ("Databases and message brokers", DATA_STORES),
        ("Languages, libraries and service managers", LANGUAGES),
    ):
        lines.append(f"\n### {title}\n\n")
        lines.append("| | programs | setting | default | applied by | source |\n|---|---|---|---|---|---|\n")
        lines += [_row(row) for row in rows]
    lines[-1] = lines[-1].removesuffix("\n")
    return lines


def _row(setting: BacklogSetting) -> str:
    programs = ", ".join(f"`{name}`" for name in (*setting.programs, *setting.units))
    sources = " ".join(f"[{place(url)}]({url})" for url in re.findall(r"https://[^\s)]+", setting.source))
    cells = (setting.service, programs, setting.key, setting.default, setting.applied, sources)
    return f"| {' | '.join(cells)} |\n"


def place(url: str) -> str:
    """Return the end of an address, as the text of a link."""
    return url.removeprefix("https://").partition("?")[0].rstrip("/").rpartition("/")[2].partition("#")[0]


if __name__ == "__main__":
    sys.stdout.write(reference())
