"""Real shells that complete the last word of a line with the script for them."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from deploy.completion.scripts import FILES
from testbed import programs
from testbed.waiting import until

ROOT: Final = Path(__file__).resolve().parents[3]
_TAB: Final = "\t"


def bash(line: str) -> list[str]:
    """Return all that bash offers for the last word."""
    words = [shlex.quote(word) for word in line.split(" ")]
    return _output(
        "bash",
        "--norc",
        "-c",
        f"source {FILES['bash']}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1};"
        """ _shtab_listen_queue_exporter; printf '%s\\n' "${COMPREPLY[@]}" """,
    )


def fish(line: str) -> list[str]:
    """Return all that fish offers for the last word, without what it says of each."""
    # Unpacked elsewhere than where it was built for, it does not find its own functions.
    functions = Path(programs.find("fish")).resolve().parents[1] / "share/fish/functions"
    script = f"set fish_function_path {functions}; source {FILES['fish']}; complete -C {shlex.quote(line)}"
    return [offered.partition("\t")[0] for offered in _output("fish", "--no-config", "-c", script)]


def zsh(line: str) -> list[str]:
    """Return the word that zsh writes at Tab where only one can be meant, and else nothing."""
    with ExitStack() as stack:
        process, terminal = _zsh()
        stack.callback(os.close, terminal)
        stack.callback(os.waitpid, process, 0)
        stack.callback(os.kill, process, signal.SIGKILL)
        screen = ""

        def shown() -> str:
            nonlocal screen
            screen += os.read(terminal, 4096).decode(errors="replace")
            return screen

        # In two parts, so that the terminal's echo of this line is not taken for the prompt.
        os.write(terminal, b"autoload -U compinit && compinit -D -u && PS1='rea''dy> '\n")
        until(shown, lambda text: "ready> " in text)
        screen = ""
        os.write(terminal, f"{line}{_TAB}".encode())
        typed = line.rpartition(" ")[2]

        def completed(text: str) -> bool:
            # The echo of the line may come in parts, each of which may end with a blank.
            return text.partition(line)[2].rstrip("\r\n").endswith(" ")

        # It rings the bell where nothing, or more than one word, can follow.
        until(shown, lambda text: "\a" in text or completed(text))
        return [] if "\a" in screen else [typed + screen.partition(line)[2].split(" ")[0]]


def _zsh() -> tuple[int, int]:
    """Start an interactive zsh; returns its number and its terminal."""
    program = Path(programs.find("zsh"))
    prefix = program.resolve().parents[1]
    functions = [str(FILES["zsh"].parent), *map(str, (prefix / "usr/share/zsh/functions").glob("**/"))]
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        environment = {**kept, "TERM": "dumb", "HOME": "/nonexistent"}
        if prefix not in {Path("/"), Path("/usr")}:
            environment["FPATH"] = ":".join(functions)
        os.execve(program, [str(program), "-f"], environment)  # noqa: S606  (it is the shell)
    (modules,) = (prefix / "usr/lib").glob("*/zsh/*")
    os.write(terminal, f"module_path=({modules})\nfpath=({FILES['zsh'].parent} $fpath)\n".encode())
    return process, terminal


def _output(shell: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [programs.find(shell), *arguments],
        cwd=ROOT,
        env={**os.environ, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode != 0 or done.stderr:
        pytest.fail(f"{shell} exited with {done.returncode}: {done.stderr}{done.stdout}")
    return [line for line in done.stdout.splitlines() if line]
