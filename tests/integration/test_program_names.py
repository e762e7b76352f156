"""The names of programs, told from what real interpreters make of their arguments.

Each runs a script that prints what it runs, so that an option which is read otherwise than by the interpreter
shows. The argument of the script is a secret, which no name may hold.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.owners.program import ProgramFacts, program_name
from testbed import programs

SECRET = "s3cret"  # noqa: S105  (it is none)
PYTHON = "print('ready', flush=True); import time; time.sleep(100)"
RUBY = "$stdout.sync = true; puts 'ready'; sleep 100"
PERL = "$| = 1; print qq(ready\\n); sleep 100"
NODE = "console.log('ready'); setTimeout(() => {}, 100000)"
PHP = 'echo "ready\\n"; sleep(100);'
SHELL = "echo ready; sleep 100; :"
SOURCES = {"py": PYTHON, "rb": RUBY, "pl": PERL, "js": NODE, "php": f"<?php {PHP}", "sh": SHELL}
# The command, and what it is called; `code` stands for program text.
COMMANDS = [
    ("python3 app.py", "app.py"),
    ("python3 -E app.py", "app.py"),
    ("python3 -Es app.py", "app.py"),
    ("python3 -i app.py", "app.py"),
    ("python3 -uW ignore -X dev -Wignore app.py", "app.py"),
    ("python3 --check-hash-based-pycs always -- app.py", "app.py"),
    ("python3 -m app", "app"),
    ("python3 -um app", "app"),
    ("python3 -ubmapp", "app"),
    ("python3 -c code", "python3"),
    ("python3 -Ic code", "python3"),
    ("ruby app.rb", "app.rb"),
    ("ruby -W app.rb", "app.rb"),
    ("ruby -W0 -I lib -r json -C . app.rb", "app.rb"),
    ("ruby -rjson --encoding utf-8 --disable gems app.rb", "app.rb"),
    ("ruby -rjson -e code", "ruby"),
    ("ruby -we code", "ruby"),
    ("perl app.pl", "app.pl"),
    ("perl -wT -I lib -Mstrict app.pl", "app.pl"),
    ("perl -l0 -C app.pl", "app.pl"),
    ("perl -we code", "perl"),
    ("perl -E code", "perl"),
    ("node app.js", "app.js"),
    ("node --require fs --title x app.js", "x"),
    ("node -r fs -C x --max-http-header-size 1000 --inspect-port 0 app.js", "app.js"),
    ("node --max-old-space-size=100 --unhandled-rejections warn -- app.js", "app.js"),
    ("node -e process.title='node\\x20/srv/shop/app.js';code", "app.js"),
    ("node -e code", "node"),
    ("node -pe code", "node"),
    ("node --eval=code", "node"),
    ("php8.2 app.php", "app.php"),
    ("php8.2 -n -d x=1 -dx=1 -c /etc -f app.php", "app.php"),
    ("php8.2 --define x=1 --file app.php", "app.php"),
    ("php8.2 -r code", "php8.2"),
    ("php8.2 --run code", "php8.2"),
    ("bash app.sh", "app.sh"),
    ("bash -e app.sh", "app.sh"),
    ("bash -eo pipefail +o pipefail -O extglob app.sh", "app.sh"),
    ("bash --rcfile x --posix - app.sh", "app.sh"),
    ("bash -c code", "bash"),
    ("bash -ec code", "bash"),
    ("bash -c -x code", "bash"),
    ("dash -eu app.sh", "app.sh"),
    ("dash -ec code", "dash"),
]


def names_of(command: list[str], folder: Path) -> str:
    """The name of a program that has printed that it is ready."""
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n", command
            directory = Path(f"/proc/{process.pid}")
            facts = ProgramFacts(
                (directory / "comm").read_bytes().removesuffix(b"\n"),
                bytes((directory / "exe").readlink()),
                (directory / "cmdline").read_bytes().removesuffix(b"\0").split(b"\0"),
            )
            return program_name(facts).decode()
        finally:
            process.kill()


@pytest.mark.parametrize(("command", "expected"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_what_an_interpreter_runs_is_its_name(command: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    for suffix, source in SOURCES.items():
        (tmp_path / f"app.{suffix}").write_text(source + "\n")
    interpreter, *arguments = command.split(" ")
    source = {"p": PYTHON, "r": RUBY, "n": NODE, "b": SHELL, "d": SHELL}[interpreter[0]]
    source = {"perl": PERL, "php8.2": PHP}.get(interpreter, source)
    arguments = [argument.replace("code", source) for argument in arguments]
    # A Python that is found by PATH may be a script that looks for one.
    here = Path(sys.executable).with_name(interpreter)
    path = str(here) if here.exists() else programs.find(interpreter)
    assert names_of([path, *arguments, SECRET], tmp_path) == expected


def test_the_dynamic_linker_is_named_by_what_it_runs(tmp_path: Path) -> None:
    """Also where that is an interpreter in turn."""
    (tmp_path / "app.pl").write_text(PERL)
    perl = programs.find("perl")
    with Path(perl).open("rb") as file:
        head = file.read(4096)
    found = re.search(rb"/lib[^\0]*/ld-[^\0]*", head)
    assert found is not None, "the dynamic linker that it names"
    linker = found[0].decode()
    assert names_of([linker, "--inhibit-rpath", "x", perl, "app.pl", SECRET], tmp_path) == "app.pl"


JAVA = """\
public class Main {
    public static void main(String[] arguments) throws Exception {
        System.out.println("ready");
        Thread.sleep(100000);
    }
}
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("-cp classes shop.Main", "shop.Main"),
        ("--class-path=classes -Dx=y -ea --add-modules java.sql shop.Main", "shop.Main"),
        ("-Xmx64m -jar shop.jar", "shop.jar"),
        ("-jar -Xmx64m -Dx=y shop.jar", "shop.jar"),
        ("-p shop.jar --module=shop/shop.Main", "shop.Main"),
        ("-p shop.jar -m shop/shop.Main", "shop.Main"),
        ("@class-path shop.Main", "shop.Main"),
        ("@class-path-and-class", "java"),
    ],
)
def test_a_java_program_is_named_by_its_class_or_archive(
    arguments: str, expected: str, java_classes: Path
) -> None:
    command = [programs.find("java"), *arguments.split(" "), SECRET]
    assert names_of(command, java_classes) == expected


@pytest.fixture(scope="session")
def java_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a class, in an archive as well, and files of options."""
    folder = tmp_path_factory.mktemp("java")
    (folder / "Main.java").write_text(f"package shop;\n{JAVA}")
    (folder / "module-info.java").write_text("module shop {}\n")
    (folder / "class-path").write_text("-cp classes\n")
    (folder / "class-path-and-class").write_text("-cp classes shop.Main\n")
    for command in (
        ("javac", "-d", "classes", "Main.java", "module-info.java"),
        ("jar", "--create", "--file=shop.jar", "--main-class=shop.Main", "-C", "classes", "."),
    ):
        subprocess.run([programs.find(command[0]), *command[1:]], cwd=folder, check=True, timeout=60)
    return folder
