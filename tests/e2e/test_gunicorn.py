"""gunicorn, whose processes have titles with setproctitle and none without."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.program import Program
from tests.integration.metric_values import EAGER
from tests.integration.named_listeners import until_named

APPLICATION = """\
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
FLAGS = ("--no-control-socket", "--workers=2", "application")
SECRET = "s3cret"  # noqa: S105  (it is none)


def gunicorn() -> str:
    """The path of gunicorn; the test is skipped where there is none."""
    program = Path(sys.executable).with_name("gunicorn")
    if not program.exists():
        pytest.skip(f"{program} is not there (make test installs it)")
    return str(program)


@pytest.mark.netns
@pytest.mark.parametrize("titles", [True, False], ids=["titles", "no titles"])
@pytest.mark.parametrize("way", ["script", "module"])
def test_gunicorn_is_named_and_a_relative_path_is_absolute(folder: Path, way: str, *, titles: bool) -> None:
    (folder / "application.py").write_text(APPLICATION)
    without = folder / "without"
    without.mkdir()
    (without / "setproctitle.py").write_text("raise ImportError\n")
    environment = os.environ | ({} if titles else {"PYTHONPATH": str(without)})
    start = [gunicorn()] if way == "script" else [sys.executable, "-m", "gunicorn"]
    bound = ["-b", "unix:wsgi.sock", "-b", "127.0.0.1:8000", f"--env=TOKEN={SECRET}"]
    wanted = {(f"{folder}/wsgi.sock", "gunicorn"): 1, ("127.0.0.1:8000", "gunicorn"): 1}
    with (
        running(config=EAGER) as before,
        Program([*start, *bound, *FLAGS], folder / "log", cwd=folder, env=environment) as program,
    ):
        until_named(before, wanted)
        command = Path(f"/proc/{program.pid}/comm").read_text().strip()
        assert command == {
            (True, "script"): "gunicorn: maste",
            (True, "module"): "gunicorn: maste",
            (False, "script"): "gunicorn",
        }.get((titles, way), Path(sys.executable).name)
        assert SECRET not in before.scrape()


@pytest.mark.netns
def test_workers_with_a_socket_each_are_one_listener(folder: Path) -> None:
    (folder / "application.py").write_text(APPLICATION)
    command = [gunicorn(), "-b", "127.0.0.1:8000", "--reuse-port", *FLAGS]
    with running(config=EAGER) as before, Program(command, folder / "log", cwd=folder):
        until_named(before, {("127.0.0.1:8000", "gunicorn"): 2})
