"""The listeners of a namespace that rules fold: many come and go, and one is published in their place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

from exporter.config.model import Config
from exporter.listeners.folded_group import FoldedGroup, folded_key
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import ListenerKey
from exporter.listeners.registry import MAX_CLOSED, REMEMBER_SECONDS
from exporter.owners.owner import OWNER_FACTS, UNKNOWN_OWNER, Owner
from exporter.sampling.listener_state import OWNER_WAIT_SECONDS, ListenerState
from exporter.thresholds.rules import RuleMatch, RuleSet

_OWNER_LABELS: Final = tuple(fact for fact in OWNER_FACTS if fact.label)
# More than a folded listener has, unless containers come and go in its place.
_MAX_CREATORS: Final = 64


class _Labels(NamedTuple):
    """What the series of a folded listener are labelled with, and so what tells two of them apart."""

    key: ListenerKey
    owner: tuple[str, ...]


class _Creator(NamedTuple):
    """Who created a socket; known at once, unlike its owner."""

    uid: int | None
    cgroup_id: int


def _creators(group: ListenerGroup) -> set[_Creator]:
    return {_Creator(member.listener.uid, member.listener.cgroup_id) for member in group.members.values()}


class _Folded:
    """A folded listener, and those that it is published for."""

    __slots__ = ("_shown", "creators", "group", "label_names", "listeners", "state")

    def __init__(self, group: FoldedGroup, state: ListenerState) -> None:
        self.group = group
        self.state = state
        self.listeners: set[ListenerState] = set()
        # The facts about owners that its series have, by the configuration with which one was folded last.
        self.label_names: Collection[str] = ()
        # One of them that has the owner which is published.
        self._shown: ListenerState | None = None
        # Who created the sockets whose owner was found.
        self.creators: set[_Creator] = set()

    def confirm(self, listener: ListenerState, owner: Owner) -> None:
        """Take the owner that was found for a listener.

        Owners with equal labels may differ in what only the info metric shows, so the one that is published
        stays as long as one of the listeners has it.
        """
        # There may be thousands of listeners, each of which is confirmed at once.
        if self._shown is listener or self._shown is None or not self._shows(self._shown):
            others = (each for each in self.listeners if each is not listener and self._shows(each))
            self._shown = next(others, None)
        if self._shown is None:
            self._shown = listener
            self.state.set_owners((owner,), mptcp=listener.mptcp)
        creators = _creators(listener.group)
        self.creators = creators if len(self.creators) > _MAX_CREATORS else self.creators | creators

    def _shows(self, listener: ListenerState) -> bool:
        """Tell whether a listener is open, one of these, and has the owner that is published."""
        open_here = listener in self.listeners and bool(listener.group.members)
        return open_here and (listener.owner or UNKNOWN_OWNER) == self.state.owner


class FoldedListeners:
    """Finds the folded listener of each listener whose rule folds it, by the labels that both would have.

    `make` returns a new state of a group, and `changed` is called when the queue of one has changed. A
    listener is folded when its owner is known, or after the second for which any listener waits for it. Many
    are gone before that. So one without an owner is folded at once where that is evident: into the only
    folded listener at this address whose sockets were created by the same user in the same cgroup, and whose
    owner would make the same rule match.
    """

    def __init__(
        self,
        config: Config,
        make: Callable[[ListenerGroup], ListenerState],
        changed: Callable[[ListenerState], None],
        netns_number: str = "",
    ) -> None:
        self._make = make
        self._note_changed = changed
        self._rules = RuleSet(config, netns_number)
        self._labels = config.labels
        self._peak_window = config.sampling.peak_window_seconds
        self._by_labels: dict[_Labels, _Folded] = {}
        self._by_state: dict[ListenerState, _Folded] = {}
        self._waiting: set[ListenerState] = set()
        self._changed: set[_Folded] = set()
        # When those without a socket lost their last one, the oldest first.
        self._closed_at: dict[_Labels, float] = {}

    @property
    def states(self) -> Iterable[ListenerState]:
        """The folded listeners."""
        return self._by_state.keys()

    def set_netns_number(self, netns_number: str) -> None:
        """Take the number of another namespace; to be configured after that."""
        self._rules.set_netns_number(netns_number)

    def configure(self, config: Config) -> None:
        """Take the rules of another configuration; every listener has to be placed again."""
        self._rules.configure(config)
        self._labels = config.labels
        self._peak_window = config.sampling.peak_window_seconds
        for folded in self._by_state.values():
            if folded.state.rule_match is not None:
                folded.state.set_rule(folded.state.rule_match, self._peak_window)

    def place(self, listener: ListenerState) -> None:
        """Fold a listener, or no longer, after its owner or its rule changed."""
        self._waiting.discard(listener)
        owner = listener.owner
        evident = self._evident(listener) if owner is None or not owner.process else None
        if evident is not None:
            self._move(listener, evident)
        elif listener.rule_match is None or not listener.rule_match.fold:
            self._move(listener, None)
        elif owner is not None:
            self._fold(listener, owner, listener.rule_match)
        else:
            self._move(listener, None)
            self._waiting.add(listener)

    def update(self, listener: ListenerState) -> None:
        """Take what a sample changed in the sockets of a listener."""
        if listener.folded_into is not None:
            folded = self._by_state[listener.folded_into]
            folded.group.take(listener.group)
            self._changed.add(folded)
        elif listener.rule_match is not None and listener.rule_match.fold:
            self.place(listener)

    def remove(self, listener: ListenerState) -> None:
        """Forget a listener; what its sockets have dropped stays counted."""
        self._waiting.discard(listener)
        self._move(listener, None)

    def fold_waiting(self, now: float) -> None:
        """Fold the listeners whose owner was not found in time, without an owner, and observe."""
        for listener in [each for each in self._waiting if now - each.since >= OWNER_WAIT_SECONDS]:
            self._waiting.discard(listener)
            if listener.group.members and listener.rule_match is not None:
                self._fold(listener, UNKNOWN_OWNER, listener.rule_match)
        self.observe()

    def observe(self) -> None:
        """Let histories take what changed since the last call."""
        changed, self._changed = self._changed, set()
        for folded in changed:
            folded.state.observe_accept()
            self._note_changed(folded.state)

    def expire(self, now: float) -> list[ListenerState]:
        """Remove those without a socket for REMEMBER_SECONDS, and the oldest of too many, and return them."""
        for labels, folded in self._by_labels.items():
            if folded.group.members:
                self._closed_at.pop(labels, None)
            else:
                self._closed_at.setdefault(labels, now)
        expired = []
        too_many = len(self._closed_at) - MAX_CLOSED
        for position, (labels, closed_at) in enumerate(list(self._closed_at.items())):
            old = position < too_many or now - closed_at > REMEMBER_SECONDS
            # A listener that is remembered goes on where it was.
            if old and not self._by_labels[labels].listeners:
                del self._closed_at[labels]
                state = self._by_labels.pop(labels).state
                del self._by_state[state]
                expired.append(state)
        return expired

    def _evident(self, listener: ListenerState) -> _Folded | None:
        """Return the one that a listener without an owner belongs to, where that is evident."""
        key = folded_key(listener.group.key)
        found = [
            folded
            for labels, folded in self._by_labels.items()
            if labels.key == key and folded.label_names == self._labels and self._may_belong(listener, folded)
        ]
        return found[0] if len(found) == 1 else None

    def _may_belong(self, listener: ListenerState, folded: _Folded) -> bool:
        if not _creators(listener.group) <= folded.creators:
            return False
        match = self._rules.match(listener.group.key, folded.state.owner or UNKNOWN_OWNER)
        return match.fold and match == folded.state.rule_match

    def _fold(self, listener: ListenerState, owner: Owner, match: RuleMatch) -> None:
        values = tuple(fact.of(owner) if fact.name in self._labels else "" for fact in _OWNER_LABELS)
        labels = _Labels(folded_key(listener.group.key), values)
        folded = self._by_labels.get(labels)
        if folded is None:
            group = FoldedGroup(labels.key)
            folded = self._by_labels[labels] = _Folded(group, self._make(group))
            self._by_state[folded.state] = folded
        if folded.state.rule_match != match:
            folded.state.set_rule(match, self._peak_window)
        folded.label_names = self._labels
        folded.confirm(listener, owner)
        self._move(listener, folded)

    def _move(self, listener: ListenerState, folded: _Folded | None) -> None:
        before = self._by_state[listener.folded_into] if listener.folded_into is not None else None
        if before is folded:
            return
        if before is not None:
            before.listeners.discard(listener)
            before.group.remove(listener.group)
            self._changed.add(before)
        if folded is not None:
            folded.listeners.add(listener)
            folded.group.take(listener.group)
            self._changed.add(folded)
        listener.fold_into(folded.state if folded is not None else None)
