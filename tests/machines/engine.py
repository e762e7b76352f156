"""Docker and Podman, by the commands that both have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.machines import commands, file_tree

IMAGE = "localhost/service"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine by its command, after words for another user where it is not root's."""

    name: str
    enter: Sequence[str] = ()

    def command(self, *arguments: str) -> str:
        """What the engine prints."""
        return commands.output(*self.enter, self.name, *arguments)

    def version(self) -> str:
        """The version, as the engine tells it."""
        return self.command("--version")

    def load(self, archive: Path) -> None:
        """Make the image of the containers."""
        self.command("import", str(archive), IMAGE)

    def start(self, name: str, port: int, *options: str) -> str:
        """Start a container whose service listens on this port, and return its full id."""
        service = file_tree.service(port)
        return self.command("run", "--detach", "--name", name, *options, IMAGE, *service).splitlines()[-1]

    def shown_name(self, container_id: str) -> str:
        """The name that the engine shows for a container."""
        shown = self.command("ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}")
        return dict(line.split(" ", 1) for line in shown.splitlines())[container_id]

    def pid(self, name: str) -> int:
        """The process of a container."""
        return int(self.command("inspect", "--format", "{{.State.Pid}}", name))

    def address(self, name: str) -> str:
        """The IPv4 address of a container in a bridge."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self.command("inspect", "--format", form, name)
