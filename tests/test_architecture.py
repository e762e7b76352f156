"""The architecture: which package may import which, how big a file may be, and what it may call."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# The name service (nsswitch.conf(5)) may ask a directory in the network, which may not answer.
NAME_SERVICE_MODULES = {"pwd", "grp", "spwd", "getpass"}
NAME_SERVICE_CALLS = {
    *("getpwuid", "getpwnam", "getpwall", "getgrgid", "getgrnam", "getgrall", "getgrouplist", "getuser"),
    *("getaddrinfo", "getnameinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getfqdn"),
    *("getservbyname", "getservbyport", "getprotobyname", "expanduser"),
}
# What is asked for in the thread of lookups alone.
LOOKUP_MODULE = ROOT / "exporter/owners/host_users.py"
SAMPLING_PACKAGES = {"broker", "kernel", "listeners", "owners", "sampling", "thresholds", "metrics"}
SOURCES = sorted((ROOT / "exporter").rglob("*.py"))
MAX_LINES = 250


def those(wrong: Callable[[Path], bool]) -> list[str]:
    """The modules of which this is true."""
    return [str(path.relative_to(ROOT)) for path in SOURCES if wrong(path)]


def test_imports_keep_the_contracts_of_pyproject() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_can_be_read_in_one_go() -> None:
    assert those(lambda source: len(source.read_text().splitlines()) > MAX_LINES) == []


def test_a_file_is_named_after_what_it_holds() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert those(lambda source: bool(vague & {source.stem, source.parent.name})) == []


def test_a_module_says_what_it_is() -> None:
    assert those(lambda source: not ast.get_docstring(ast.parse(source.read_text()))) == []


def test_a_package_only_hands_names_on() -> None:
    assert those(lambda source: source.name == "__init__.py" and not only_hands_names_on(source)) == []


def test_the_name_service_is_asked_in_the_thread_of_lookups_alone() -> None:
    """Samples, and pages behind the same lock, would wait for a directory that does not answer."""
    asked = {
        source: used
        for source in SOURCES
        if source.relative_to(ROOT).parts[1] in SAMPLING_PACKAGES | {"proc.py"}
        and (used := name_service_uses(ast.parse(source.read_text())))
    }
    assert asked == {LOOKUP_MODULE: {"pwd", "getpwuid"}}


def only_hands_names_on(source: Path) -> bool:
    for statement in ast.parse(source.read_text()).body:
        is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        is_import = isinstance(statement, ast.Import | ast.ImportFrom)
        if not (is_docstring or is_import or assigned(statement) in {"__all__", "__version__"}):
            return False
    return True


def name_service_uses(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {each.name for each in names} & NAME_SERVICE_MODULES
            case ast.ImportFrom(module=module, names=names):
                found |= {module or "", *(each.name for each in names)} & (
                    NAME_SERVICE_MODULES | NAME_SERVICE_CALLS
                )
            case ast.Attribute(attr=name) | ast.Name(id=name):
                found |= {name} & NAME_SERVICE_CALLS
    return found


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("import os, pwd", {"pwd"}),
        ("from pwd import getpwuid", {"pwd", "getpwuid"}),
        ("import socket\nsocket.getaddrinfo('a', 1)", {"getaddrinfo"}),
        ("from socket import getfqdn as name", {"getfqdn"}),
        ("Path('~').expanduser()", {"expanduser"}),
        ("import password", set()),
    ],
)
def test_uses_of_the_name_service_are_found(text: str, uses: set[str]) -> None:
    assert name_service_uses(ast.parse(text)) == uses


def assigned(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return None
