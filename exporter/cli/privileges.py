"""What the processes of the exporter may: the brokers get what they need, then the rest is given up."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from exporter.broker.capabilities import keep_only, permitted
from exporter.broker.confinement import Confinement
from exporter.broker.file_server import serve_files
from exporter.broker.supervisor import StartedBrokers, start
from exporter.broker.user import User, become, hide_from_user
from exporter.cli.user import ROOT, wanted_user
from exporter.errors import RunError
from exporter.sandbox import kinds, landlock, profiles, seccomp
from exporter.sandbox.kinds import Kind, Sandboxes

_EXPORTER: Final = "exporter"
_SUPERVISED: Final = ("supervisor", "broker", "file_broker")


@dataclass(frozen=True, slots=True)
class Privileges:
    """What this process gives up: `user` is the one to become, None to stay; `kinds` restrict it further."""

    user: User | None = None
    kinds: Kind = kinds.NONE

    @classmethod
    def wanted(cls, user: str | None, *, sandbox: bool) -> Privileges:
        """Return what the flags ask for, as far as it can be had here. Raises UsageError and RunError."""
        becomes = wanted_user(user)
        try:
            found = kinds.available() if sandbox else kinds.NONE
        except OSError as error:
            raise RunError(f"cannot find out which sandbox the kernel has: {error}") from error
        return cls(becomes, found)

    def start_brokers(self, named_files: Sequence[str] = ()) -> StartedBrokers | None:
        """Start the brokers; return None where they could see nothing that this process cannot.

        `named_files` are those that the user has named, which are read again as they were at first. The
        brokers are forked, so there must be no threads yet, nor sockets, which they would inherit. Raises
        RunError.
        """
        try:
            # Before there is anything to take: capabilities, a channel to the broker.
            hide_from_user()
            held = permitted()
        except OSError as error:
            raise RunError(f"cannot read the capabilities of this process: {error}") from error
        if not held and self.user is None:
            return None
        confinement = Confinement(held, self.user, filtered=Kind.SECCOMP in self.kinds)
        try:
            return start(confinement, serve_files=partial(serve_files, named=tuple(named_files)))
        except OSError as error:
            raise RunError(f"cannot start the supervisor of the brokers: {error}") from error

    def drop_all(self, *, brokers: bool) -> Sandboxes:
        """Become the user and drop every capability, irrevocably; return what all processes are confined to.

        `brokers` tells whether there are any: without them this process looks at other processes itself,
        which Landlock forbids. Capabilities are those of a thread, so there must be only one yet. Raises
        RunError.
        """
        used = self.kinds if brokers else self.kinds & ~Kind.LANDLOCK
        try:
            confinement = Confinement(permitted(), self.user)
            stays = os.geteuid()
            if self.user is not None:
                become(self.user)
            keep_only(())
        except OSError as error:
            raise RunError(f"cannot drop capabilities: {error}") from error
        try:
            if Kind.LANDLOCK in used:
                landlock.read_only()
            if Kind.SECCOMP in used:
                seccomp.install(profiles.exporter())
        except OSError as error:
            raise RunError(f"cannot confine this process: {error}; try --no-sandbox") from error
        confined = {_EXPORTER: _sandbox(os.geteuid(), used, kinds.ALL)}
        if brokers:
            # They are confined as this process has found that it can be, or they do not run.
            user = confinement.user_of_brokers
            uid = stays if user is None else user.uid
            confined |= dict.fromkeys(_SUPERVISED, _sandbox(uid, used, Kind.SECCOMP))
        return confined


def _sandbox(uid: int, used: Kind, possible: Kind) -> dict[str, bool]:
    """Return what a process is confined to: its user, and of the `possible` kinds those that are used."""
    return {"user": uid != ROOT} | {(kind.name or "").lower(): kind in used for kind in possible}
