"""What references tell of half-open connections, and what dumps teach about references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.procfs.refcount import RefCount
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.sampling.mptcp_sockets import MptcpSockets
from exporter.sampling.sources.listener_references import ListenerReferences, SynRecvByReferences
from tests.listeners.sockets import reading, tcp

NOW = 1000.0
# When connections of a socket that was there before are gone.
LATER = NOW + 64.0


def group_of(sockets: int) -> ListenerGroup:
    """A group of so many sockets, with the inodes 100, 200, and so on."""
    group = ListenerGroup(key_of(tcp(1), "host", "tcp"))
    for cookie in range(1, sockets + 1):
        group.open(tcp(cookie), reading(cookie))
    return group


class Listener:
    """A group, what is known of its references, and how many sockets of it are MPTCP's."""

    def __init__(self, sockets: int = 1) -> None:
        self.group = group_of(sockets)
        self._mptcp = MptcpSockets()
        self.references = ListenerReferences(self._mptcp)
        self.set_mptcp(0)

    def set_mptcp(self, count: int | None) -> None:
        """Let so many of the sockets be MPTCP's; None for what was not asked."""
        listeners = [member.listener for member in self.group.members.values()] if count is not None else []
        self._mptcp.take(listeners, {listener.inode for listener in listeners[:count]})

    def held(self, held: int, waiting: int = 0) -> dict[int, RefCount]:
        """So many references of the first socket, and one of each other."""
        first, *others = (member.listener.inode for member in self.group.members.values())
        return {first: RefCount(held, waiting), **dict.fromkeys(others, RefCount(1, 0))}

    def count(self, held: int, waiting: int = 0, now: float = NOW) -> SynRecvByReferences:
        """Count them."""
        return self.references.count([self.group], self.held(held, waiting), now)

    def number(self, held: int, waiting: int = 0) -> int | None:
        """The half-open connections; None where that is not clear."""
        found = self.count(held, waiting)
        return None if found.unclear else found.by_group.get(self.group, 0)

    def compare(self, count: int, before: int, after: int | None = None, now: float = LATER) -> None:
        """Take what a dump has found."""
        after = before if after is None else after
        self.references.compare([self.group], {self.group: count}, self.held(before), self.held(after), now)


@given(st.integers(1, 4), st.integers(0, 100_000), st.integers(0, 5000))
def test_what_is_beyond_the_usual_references_and_those_that_wait_is_half_open(
    sockets: int, syn_recv: int, waiting: int
) -> None:
    listener = Listener(sockets)
    found = listener.count(1 + syn_recv + waiting, waiting)
    assert found.by_group.get(listener.group, 0) == syn_recv
    assert (found.unclear, found.proven) == (frozenset(), not syn_recv and not waiting)


def test_only_what_was_seen_without_connections_is_confirmed() -> None:
    listener = Listener()
    assert listener.count(4).unconfirmed == 3
    # One that waits may have been made by a SYN cookie.
    assert listener.count(2, 1).unconfirmed == 0
    assert listener.count(4).unconfirmed == 3
    listener.count(1)
    assert listener.count(4).unconfirmed == 0


@pytest.mark.parametrize(("mptcp", "numbers"), [(0, [1, 2]), (1, [0, 1]), (None, [0, 1])])
def test_a_second_reference_is_that_of_mptcp_or_perhaps(mptcp: int | None, numbers: list[int | None]) -> None:
    """As long as it is not known, what may be its own is not taken for a connection."""
    listener = Listener()
    listener.set_mptcp(mptcp)
    assert [listener.number(held) for held in (2, 3)] == numbers


def test_fewer_than_it_must_have_are_unclear() -> None:
    listener = Listener()
    listener.set_mptcp(1)
    assert listener.number(1) is None
    listener.set_mptcp(0)
    assert listener.number(4, 4) is None


def test_one_reference_seen_alone_tells_that_a_socket_is_not_of_mptcp() -> None:
    listener = Listener()
    listener.set_mptcp(None)
    assert [listener.number(held) for held in (2, 1, 2)] == [0, 0, 1]


def test_a_socket_that_is_not_in_the_file_makes_its_group_unclear() -> None:
    listener = Listener(2)
    held = {100: RefCount(5, 0)}
    assert listener.references.count([listener.group], held, NOW).unclear == {listener.group}
    assert listener.references.syn_recv(held, listener.group) is None


@pytest.mark.parametrize(("mptcp", "held", "number"), [(0, 4, 3), (1, 4, 2), (1, 1, 0), (None, 4, None)])
def test_for_a_dump_it_is_told_how_many_hold_a_reference(
    mptcp: int | None, held: int, number: int | None
) -> None:
    listener = Listener()
    listener.set_mptcp(mptcp)
    assert listener.references.syn_recv(listener.held(held), listener.group) == number


def test_a_dump_confirms_what_it_agrees_with() -> None:
    listener = Listener()
    listener.count(4)
    listener.compare(3, before=4)
    assert (listener.count(8).unconfirmed, listener.number(8)) == (0, 7)


def test_a_dump_between_two_numbers_of_references_agrees() -> None:
    listener = Listener()
    listener.count(4)
    listener.compare(5, before=4, after=9)
    assert listener.number(9) == 8


@pytest.mark.parametrize("own", [2, 3, 4])
def test_other_own_references_are_learned_by_the_first_dump(own: int) -> None:
    listener = Listener()
    listener.count(own + 3)
    listener.compare(3, before=own + 3)
    assert (listener.number(own + 7), listener.references.disagreements) == (7, 0)


def test_of_references_that_change_nothing_is_learned() -> None:
    listener = Listener()
    listener.count(6)
    listener.compare(3, before=5, after=6)
    assert (listener.number(6), listener.references.disagreements) == (5, 0)


def confirmed() -> Listener:
    """One whose references were seen alone."""
    listener = Listener()
    listener.count(1)
    return listener


def test_what_does_not_agree_is_looked_at_again() -> None:
    listener = confirmed()
    listener.compare(2, before=4)
    assert listener.number(4) is None
    listener.compare(3, before=4)
    assert (listener.number(4), listener.references.disagreements) == (3, 0)


def test_what_does_not_agree_again_is_a_disagreement_and_learned() -> None:
    """The socket was put into a BPF map."""
    listener = confirmed()
    for _ in range(2):
        listener.compare(2, before=4)
    assert (listener.number(4), listener.references.disagreements) == (2, 1)


def test_what_differs_each_time_is_not_learned() -> None:
    listener = confirmed()
    for count in (1, 2, 1, 2):
        listener.compare(count, before=4)
    assert (listener.number(4), listener.references.disagreements) == (None, 0)


def test_what_cannot_be_own_references_is_distrusted_until_a_dump_agrees() -> None:
    listener = confirmed()
    for _ in range(3):
        listener.compare(9, before=4)
    assert (listener.number(4), listener.references.disagreements) == (None, 2)
    listener.compare(3, before=4)
    assert (listener.number(4), listener.references.disagreements) == (3, 2)


def test_connections_of_a_socket_that_was_there_before_are_no_disagreement() -> None:
    listener = confirmed()
    for _ in range(3):
        listener.compare(9, before=1, now=LATER - 0.1)
    assert (listener.number(1), listener.references.disagreements) == (0, 0)


def test_nothing_is_known_of_a_group_whose_sockets_have_changed() -> None:
    listener = confirmed()
    listener.references.keep([listener.group])
    assert listener.count(4).unconfirmed == 0
    listener.group.open(tcp(2), reading(2))
    listener.set_mptcp(0)
    listener.references.keep([listener.group])
    assert listener.count(4).unconfirmed == 3
    listener.references.keep([])
    listener.compare(9, before=4)
    assert listener.references.disagreements == 0


def test_the_same_references_may_tell_another_number_after_a_dump_and_when_more_is_known() -> None:
    listener = confirmed()
    versions = [listener.references.version]
    listener.compare(2, before=4)
    versions.append(listener.references.version)
    listener.set_mptcp(1)
    versions.append(listener.references.version)
    assert versions == sorted(set(versions))
