"""/proc/<pid>/cgroup as each container runtime and service manager leaves it, and what is read from it."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.cgroup_membership import parse_cgroup_membership
from tests.owners.cgroup_strategies import ID, PATHS

LAYOUTS = Path(__file__).with_name("layouts")
EXPECTED = json.loads((LAYOUTS / "expected.json").read_text())


def test_every_recorded_file_has_an_expected_location() -> None:
    assert {path.stem for path in LAYOUTS.glob("*.cgroup")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_location_of_a_recorded_file(name: str) -> None:
    content = (LAYOUTS / f"{name}.cgroup").read_bytes()
    assert asdict(parse_cgroup_membership(content)) == asdict(CgroupLocation()) | EXPECTED[name]


@given(st.binary(max_size=200))
@example(b"0::/a.service")
@example(b"1:name=systemd:/a:b/c.service\n")
@example(b"::\n0:/\n0::\n")
def test_any_content_has_a_printable_location(content: bytes) -> None:
    location = parse_cgroup_membership(content)
    assert all(text.isprintable() for text in asdict(location).values() if isinstance(text, str))


LINES = st.lists(
    st.tuples(st.sampled_from(["", "name=systemd", "pids", "memory", "cpu,cpuacct", "rdma"]), PATHS),
    max_size=6,
)


@given(LINES, st.randoms())
def test_order_of_the_lines_changes_nothing(lines: list[tuple[str, bytes]], random: Random) -> None:
    """Each boot may number controllers differently."""
    content = [
        str(number).encode() + b":" + controllers.encode() + b":/" + path.replace(b"\n", b"")
        for number, (controllers, path) in enumerate(dict(lines).items())
    ]
    shuffled = list(content)
    random.shuffle(shuffled)
    assert parse_cgroup_membership(b"\n".join(content)) == parse_cgroup_membership(b"\n".join(shuffled))


HIERARCHIES = ["", "name=systemd", "pids", "memory", "devices", "freezer", "cpu", "cpuacct", "rdma"]


@pytest.mark.parametrize(("first", "second"), list(pairwise(HIERARCHIES)))
def test_of_equally_informative_lines_the_first_hierarchy_counts(first: str, second: str) -> None:
    """Version 2 before systemd's, and that before the controllers of version 1."""
    content = f"1:{second}:/b.service\n2:{first}:/z.service\n3:rdma:/c.service\n"
    assert parse_cgroup_membership(content.encode()).unit == "z.service"


def test_a_line_with_a_container_counts_before_one_with_a_unit_and_that_before_a_path() -> None:
    path, unit, container = b"0::/a/b\n", b"1:pids:/a.service\n", b"2:rdma:/docker/" + ID.encode() + b"\n"
    assert parse_cgroup_membership(path + unit).unit == "a.service"
    assert parse_cgroup_membership(path + unit + container).container_id == ID
    assert parse_cgroup_membership(b"0::/\n1:rdma:/a/b\n").path == "/a/b"


def test_path_may_contain_colons_and_the_word_deleted() -> None:
    assert parse_cgroup_membership(b"0::/a:b/c (deleted) d.service\n").unit == "c (deleted) d.service"


def test_removed_cgroup_has_the_unit_that_it_had() -> None:
    assert parse_cgroup_membership(b"0::/system.slice/web.service (deleted)\n").unit == "web.service"


def test_no_line_has_no_path_and_the_root_has_one() -> None:
    assert parse_cgroup_membership(b"").path == ""
    assert parse_cgroup_membership(b"0::/\n").path == "/"
