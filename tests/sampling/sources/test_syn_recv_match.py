"""Half-open connections that fit no address, or another one: what is given to transparent listeners."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.records import Endpoint, Listener
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.listeners.matching import Matcher
from exporter.sampling.sources.syn_recv_match import match
from tests.listeners.sockets import endpoint, tcp

WEB = tcp(1, port=80)
PROXY = tcp(2, port=15006, transparent=True)
OTHER_PROXY = tcp(3, port=15001, transparent=True)
AT_WEB = endpoint("10.0.0.1", 80)
AT_PROXY = endpoint("10.0.0.1", 15006)
AT_NONE = endpoint("10.0.0.1", 443)
IPV6 = endpoint("fd00::1", 443)

Matched = tuple[dict[str, int], int, set[str]]


def matched(
    found: Mapping[Endpoint, int], held: Mapping[str, int | None] | None, *listeners: Listener
) -> Matched:
    """The counts by port, how many fit none, and the ports of which it is not known.

    `held` has how many half-open connections hold a reference by port, 0 where a port is left out.
    """
    groups = {each.endpoint: ListenerGroup(key_of(each, "host", "tcp")) for each in listeners}
    matcher = Matcher((each, groups[each.endpoint]) for each in listeners)

    def references(group: ListenerGroup) -> int | None:
        return None if held is None else held.get(group.key.port, 0)

    counts = match(found, matcher, references)
    return (
        {group.key.port: count for group, count in counts.by_group.items()},
        counts.unmatched,
        {group.key.port for group in counts.unknown},
    )


def test_what_fits_no_address_belongs_to_the_transparent_listener_that_holds_it() -> None:
    assert matched({AT_NONE: 7}, {"15006": 7}, WEB, PROXY) == ({"15006": 7}, 0, set())


def test_what_it_does_not_hold_fits_no_listener() -> None:
    """A listener has just closed."""
    assert matched({AT_NONE: 7}, {"15006": 4}, WEB, PROXY) == ({"15006": 4}, 3, set())
    assert matched({AT_NONE: 7}, {}, WEB, PROXY) == ({}, 7, set())


def test_each_of_several_has_what_it_holds() -> None:
    held = {"15006": 4, "15001": 2}
    assert matched({AT_NONE: 7}, held, PROXY, OTHER_PROXY) == ({"15006": 4, "15001": 2}, 1, set())


def test_what_was_sent_to_the_address_of_another_listener_is_found_by_its_references() -> None:
    held = {"15006": 5, "80": 2}
    assert matched({AT_WEB: 7}, held, WEB, PROXY) == ({"80": 2, "15006": 5}, 0, set())
    assert matched({AT_WEB: 7}, {"15006": 7}, WEB, PROXY) == ({"15006": 7}, 0, set())


def test_what_was_sent_to_its_own_address_and_elsewhere_adds_up() -> None:
    held = {"15006": 9, "80": 3}
    assert matched({AT_PROXY: 4, AT_NONE: 5, AT_WEB: 3}, held, WEB, PROXY) == (
        {"15006": 9, "80": 3},
        0,
        set(),
    )


def test_references_read_later_than_the_dump_take_nothing_from_others() -> None:
    """Handshakes at the other listener were completed, or more began at the transparent one."""
    assert matched({AT_WEB: 7}, {"80": 4}, WEB, PROXY) == ({"80": 7}, 0, set())
    assert matched({AT_WEB: 7, AT_NONE: 2}, {"80": 7, "15006": 5}, WEB, PROXY) == (
        {"80": 7, "15006": 2},
        0,
        set(),
    )
    assert matched({AT_PROXY: 4}, {"15006": 1}, PROXY) == ({"15006": 4}, 0, set())


def test_an_own_reference_that_is_not_known_makes_no_connection() -> None:
    """Of an MPTCP listener, which holds one reference more than others."""
    assert matched({AT_NONE: 7}, {"15006": 7, "15001": 1}, PROXY, OTHER_PROXY) == ({"15006": 7}, 0, set())
    assert matched({AT_WEB: 7}, {"80": 7, "15006": 1}, WEB, PROXY) == ({"80": 7}, 0, set())


def test_what_none_can_have_fits_no_listener() -> None:
    assert matched({IPV6: 3, AT_NONE: 2}, {"15006": 5}, PROXY) == ({"15006": 2}, 3, set())


def test_without_references_it_belongs_to_the_only_one_that_can_have_it() -> None:
    assert matched({AT_NONE: 7, IPV6: 2, AT_WEB: 1}, None, WEB, PROXY) == ({"15006": 7, "80": 1}, 2, set())


def test_without_references_it_is_not_known_which_of_several_has_it() -> None:
    ipv6 = tcp(4, "::", 1, v6only=True, transparent=True)
    found = {AT_NONE: 7, AT_PROXY: 1, IPV6: 2, AT_WEB: 3}
    assert matched(found, None, WEB, PROXY, OTHER_PROXY, ipv6) == (
        {"80": 3, "1": 2},
        7,
        {"15006", "15001"},
    )


def test_the_references_of_one_that_are_missing_are_those_of_all() -> None:
    assert matched({AT_NONE: 7}, {"15006": 7, "15001": None}, PROXY, OTHER_PROXY) == (
        {},
        7,
        {"15006", "15001"},
    )


def test_without_a_transparent_listener_references_are_not_asked() -> None:
    groups = ListenerGroup(key_of(WEB, "host", "tcp"))

    def fail(group: ListenerGroup) -> int:
        pytest.fail(str(group.key))

    found = match({AT_WEB: 3, AT_NONE: 4}, Matcher([(WEB, groups)]), fail)
    assert (dict(found.by_group), found.unmatched) == ({groups: 3}, 4)
    assert match({}, Matcher([(PROXY, groups)]), fail).by_group == {}


COUNTS = st.integers(0, 9)


@given(
    st.dictionaries(st.sampled_from([AT_WEB, AT_PROXY, AT_NONE, IPV6]), st.integers(1, 9)),
    st.fixed_dictionaries({"80": COUNTS, "15006": COUNTS, "15001": COUNTS}) | st.none(),
)
def test_every_connection_is_counted_once(found: dict[Endpoint, int], held: dict[str, int] | None) -> None:
    counts, unmatched, unknown = matched(found, held, WEB, PROXY, OTHER_PROXY)
    assert all(count > 0 for count in counts.values())
    assert unmatched >= found.get(IPV6, 0)
    assert unknown <= {"15006", "15001"}
    if not unknown:
        assert sum(counts.values()) + unmatched == sum(found.values())


def divided(count: int, held: Mapping[str, int | None]) -> Matched:
    """The same for programs that share one endpoint, by their names."""
    groups = {program: ListenerGroup(key_of(WEB, "host", "tcp"), program) for program in held}
    matcher = Matcher((tcp(cookie, port=80), group) for cookie, group in enumerate(groups.values()))
    counts = match({AT_WEB: count}, matcher, lambda group: held[group.program])
    return (
        {group.program: number for group, number in counts.by_group.items()},
        counts.unmatched,
        {group.program for group in counts.unknown},
    )


def test_programs_that_share_a_port_have_what_their_sockets_hold() -> None:
    assert divided(7, {"blue": 0, "green": 7}) == ({"blue": 0, "green": 7}, 0, set())
    assert divided(7, {"blue": 3, "green": 4}) == ({"blue": 3, "green": 4}, 0, set())


def test_programs_that_share_a_port_have_as_many_as_were_found_together() -> None:
    """References are read after the dump."""
    assert divided(7, {"blue": 1, "green": 4}) == ({"blue": 1, "green": 6}, 0, set())
    assert divided(7, {"blue": 5, "green": 9}) == ({"blue": 0, "green": 7}, 0, set())


def test_where_references_cannot_be_read_it_is_not_known_which_program_has_them() -> None:
    assert divided(7, {"blue": None, "green": 3}) == ({}, 0, {"blue", "green"})
