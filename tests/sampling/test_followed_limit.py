"""How many connections each namespace may follow."""

from __future__ import annotations

from exporter.sampling.followed_limit import MAX_FOLLOWED, FollowedLimit


class Follower:
    """One that follows connections."""


def test_who_follows_connections_has_an_equal_part() -> None:
    limit, first, second = FollowedLimit(), Follower(), Follower()
    assert limit.share(first, 1) == MAX_FOLLOWED
    assert limit.share(second, 2) == MAX_FOLLOWED / 4
    assert limit.share(first, 1) == MAX_FOLLOWED / 2


def test_who_has_no_queue_any_more_leaves_its_part_to_the_others() -> None:
    limit, first, second = FollowedLimit(), Follower(), Follower()
    limit.share(first, 1)
    assert limit.share(first, 0) == 0
    assert limit.share(second, 1) == MAX_FOLLOWED


def test_who_is_gone_leaves_its_part_to_the_others() -> None:
    limit, second = FollowedLimit(), Follower()
    limit.share(Follower(), 1)
    assert limit.share(second, 1) == MAX_FOLLOWED


def test_each_queue_has_one_however_many_there_are() -> None:
    assert FollowedLimit().share(Follower(), 10 * MAX_FOLLOWED) == 1
