"""What the version of a kernel tells of its SYN queues; tests/machines/kernels asks real ones."""

from __future__ import annotations

import pytest

from exporter.kernel.syn_queue import SynQueueBound, beyond_backlog


@pytest.mark.parametrize(
    ("release", "version", "more"),
    [
        ("4.18.0-553.el8.x86_64", "#1 SMP", 0),
        ("5.4.0-208-generic", "#228-Ubuntu SMP", 0),
        ("5.4.289", "#1 SMP", 0),
        ("5.4.290", "#1 SMP", 1),
        ("5.10.0-34-cloud-amd64", "#1 SMP Debian 5.10.233-1 (2025-02-02)", 0),
        ("5.10.0-35-cloud-amd64", "#1 SMP Debian 5.10.237-1 (2025-05-19)", 1),
        ("5.10.234", "#1 SMP", 1),
        ("5.15.176", "#1 SMP", 0),
        ("5.15.177", "#1 SMP", 1),
        ("6.1.0-28-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22)", 0),
        ("6.1.0-35-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.137-1 (2025-05-07)", 1),
        ("6.6.72-lts", "#1", 1),
        ("6.8.0-51-generic", "#52-Ubuntu SMP PREEMPT_DYNAMIC", 0),
        ("6.11.11", "#1", 0),
        ("6.12.9-arch1-1", "#1", 0),
        ("6.12.10", "#1", 1),
        ("6.13", "#1", 1),
        ("6.18.44-fc", "#1", 1),
        ("7.2.1+deb14-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 7.2.1-1", 1),
        ("unknown", "", 1),
    ],
)
def test_the_release_tells_whether_a_socket_admits_one_more_than_its_backlog(
    release: str, version: str, more: int
) -> None:
    assert beyond_backlog(release, version) == more


def test_a_bound_of_the_namespace_is_never_exceeded() -> None:
    assert [SynQueueBound(1, 7).limit(backlog) for backlog in (0, 6, 7)] == [1, 7, 7]
    assert [SynQueueBound(0).limit(backlog) for backlog in (0, 7)] == [0, 7]
