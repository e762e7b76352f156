"""Who is named behind sockets that supervisord holds for programs, and behind those of programs it starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.program import Program
from testbed.waiting import equals, until
from tests.integration.metric_values import EAGER
from tests.integration.named_listeners import named, until_named, write_script

CONFIG = """\
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
childlogdir={folder}
pidfile={folder}/pid

[unix_http_server]
file={folder}/control.sock

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{folder}/control.sock

[fcgi-program:fcgi]
socket=tcp://127.0.0.1:9000
command={fcgi}
process_name=%(program_name)s_%(process_num)d
numprocs=2
autostart=false

[program:shop]
command={shop}
"""
# What is in its descriptor 0 it serves; it says that it runs by a file.
FCGI = "import time\ntime.sleep(1000)\n"
SHOP = "import socket, time\nopened = socket.create_server(('127.0.0.1', 8080))\ntime.sleep(1000)\n"


def control(folder: Path, *command: str) -> None:
    """Run supervisorctl."""
    program = str(Path(sys.executable).with_name("supervisorctl"))
    arguments = [program, "-c", str(folder / "supervisord.conf"), *command]
    subprocess.run(arguments, check=True, capture_output=True, timeout=60)


@pytest.mark.netns
@pytest.mark.parametrize("way", ["script", "interpreter", "module"])
def test_the_programs_are_named_and_supervisord_where_none_runs(way: str, folder: Path) -> None:
    """However supervisord itself was started: its own name may be that of Python."""
    script = Path(sys.executable).with_name("supervisord")
    if not script.exists():
        pytest.skip(f"{script} is not there (make test installs it)")
    commands = {
        "script": [str(script)],
        "interpreter": [sys.executable, str(script)],
        "module": [sys.executable, "-m", "supervisor.supervisord"],
    }
    config = folder / "supervisord.conf"
    fcgi = write_script(folder / "fcgi", sys.executable, FCGI)
    shop = write_script(folder / "shop", sys.executable, SHOP)
    config.write_text(CONFIG.format(folder=folder, fcgi=fcgi, shop=shop))
    name = "supervisor.supervisord" if way == "module" else "supervisord"
    idle = {(f"{folder}/control.sock", name): 1, ("127.0.0.1:8080", "shop"): 1}
    with (
        running(config=EAGER) as before,
        Program([*commands[way], "-n", "-c", str(config)], folder / "supervisord.log"),
    ):
        until_named(before, idle)
        control(folder, "start", "fcgi:*")
        until_named(before, idle | {("127.0.0.1:9000", "fcgi"): 1})
        # The socket stays open while one of them runs.
        control(folder, "restart", "fcgi:fcgi_0")
        until_named(before, idle | {("127.0.0.1:9000", "fcgi"): 1})
        control(folder, "stop", "fcgi:*", "shop")
        until(lambda: named(before), equals({(f"{folder}/control.sock", name): 1}))
