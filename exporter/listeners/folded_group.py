"""Several listeners as one group: those on ephemeral ports, or with names that hold a process number."""

from __future__ import annotations

from typing import Final

from exporter.kernel.family import AddressForm, address_form
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import ListenerKey

# In place of the port, or of the address where that has no port. No other listener has this address
# (exporter.kernel.text).
ANY: Final = "*"


def folded_key(key: ListenerKey) -> ListenerKey:
    """Return the key of the group that a listener is folded into."""
    if address_form(key.protocol) is AddressForm.PATH:
        return key._replace(address=ANY)
    return key._replace(port=ANY)


class FoldedGroup(ListenerGroup):
    """The sockets of several listeners. What closed sockets have dropped stays counted."""

    __slots__ = ("_cookies",)

    def __init__(self, key: ListenerKey) -> None:
        """Start without a listener."""
        super().__init__(key)
        # The sockets here of each listener that has any.
        self._cookies: dict[ListenerGroup, set[int]] = {}

    def take(self, group: ListenerGroup) -> None:
        """Have the sockets that a listener has now, with their newest readings."""
        known = self._cookies.get(group, set())
        for cookie in known - group.members.keys():
            self.close(cookie)
        for cookie, member in group.members.items():
            if cookie not in known:
                self.open(member.listener, member.reading)
            elif member.reading is not self.members[cookie].reading:
                self.update(member.reading)
        if group.members:
            self._cookies[group] = set(group.members)
        else:
            self._cookies.pop(group, None)

    def remove(self, group: ListenerGroup) -> None:
        """Remove the sockets of a listener."""
        for cookie in self._cookies.pop(group, ()):
            self.close(cookie)
