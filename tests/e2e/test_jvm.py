"""A JVM: named by its main class or archive, and its mapped addresses are IPv4 addresses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from testbed import programs
from testbed.daemon import running
from testbed.program import Program
from tests.integration.metric_values import EAGER, until_figure
from tests.integration.named_listeners import until_named

SECRET = "s3cret"  # noqa: S105  (it is none)
SERVER = """\
package shop;

import java.net.InetAddress;
import java.net.ServerSocket;

public class Server {
    public static void main(String[] arguments) throws Exception {
        var opened = new ServerSocket(8080, 9, InetAddress.getByName("127.0.0.1"));
        Thread.sleep(1000000);
        opened.close();
    }
}
"""


def run(folder: Path, name: str, *arguments: str) -> None:
    """Run a program of the JDK; the test is skipped where there is none."""
    subprocess.run([programs.find(name), *arguments], cwd=folder, check=True, timeout=100)


@pytest.mark.netns
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("-cp", "classes", "shop.Server"), "shop.Server"),
        (("-Dx=y", "-jar", "shop.jar"), "shop.jar"),
        (("Server.java",), "Server.java"),
    ],
    ids=["class", "archive", "source"],
)
def test_the_class_or_the_archive_is_the_name(folder: Path, arguments: tuple[str, ...], name: str) -> None:
    (folder / "Server.java").write_text(SERVER)
    run(folder, "javac", "-d", "classes", "Server.java")
    run(folder, "jar", "--create", "--file=shop.jar", "--main-class=shop.Server", "-C", "classes", ".")
    command = [programs.find("java"), *arguments, "--password", SECRET]
    with running(config=EAGER) as before, Program(command, folder / "log", cwd=folder):
        until_named(before, {("127.0.0.1:8080", name): 1})
        until_figure(before, 9, "accept_limit", address="127.0.0.1", port="8080", process=name)
        assert SECRET not in before.scrape()
