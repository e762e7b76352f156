"""What /proc/<pid>/cgroup looks like under each runtime, and what is read from it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.owners.cgroup_location import CgroupLocation, parse
from exporter.owners.cgroup_membership import place_of

FOLDER = Path(__file__).with_name("layouts")
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
ID = "a1b2c3d4e5f60718" * 4


def test_each_layout_has_its_expected_facts_and_the_other_way_round() -> None:
    assert {path.stem for path in FOLDER.glob("*.cgroup")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_layout_is_read(name: str) -> None:
    content = (FOLDER / f"{name}.cgroup").read_bytes()
    assert asdict(place_of(content)) == asdict(CgroupLocation()) | EXPECTED[name]


PARTS = st.sampled_from(
    [
        b"", b"..", b"system.slice", b"user@1.service", b"a.service", b"init.scope", b"x.scope", b"docker",
        b"payload", b"supervisor", b"lxc", b"lxc.payload", b"lxc.payload.", b"kubepods-pod.slice",
        b"pod" + b"0" * 32, ID.encode(), b"docker-" + ID.encode() + b".scope", b"machine-a.scope",
        b"systemd-nspawn@\\xff.service", b"a.slice:cri-containerd:" + ID.encode(), b"\xff\xfe", b"\\x2d",
    ]
)  # fmt: skip
PATHS = st.one_of(st.binary(max_size=60), st.lists(PARTS, max_size=6).map(b"/".join))


@given(PATHS)
@example(b"")
@example(b"/")
@example(b"/../..")
def test_any_path_says_something_that_can_be_shown(path: bytes) -> None:
    place = parse(path)
    texts = [text for text in asdict(place).values() if isinstance(text, str)]
    assert all(text.isprintable() for text in texts)
    assert place.path.startswith("/")
    assert "/../" not in place.path + "/"
    assert place.container_id in ("", ID) or len(place.container_id) == 64
    assert not (place.container_id and place.container)
    assert "/" not in place.unit + place.slice


@given(
    PATHS.filter(lambda path: b"/" not in (path[:1], path[-1:])), st.sampled_from([b"/", b"/../", b"/../../"])
)
def test_what_lies_above_a_namespace_changes_nothing(path: bytes, above: bytes) -> None:
    assert parse(above + path) == parse(b"/" + path)


@given(st.binary(max_size=200))
@example(b"0::/a.service")
@example(b"1:name=systemd:/a:b/c.service\n")
@example(b"::\n0:/\n0::\n")
def test_any_content_is_a_place(content: bytes) -> None:
    assert isinstance(place_of(content), CgroupLocation)


LINES = st.lists(
    st.tuples(st.sampled_from(["", "name=systemd", "pids", "memory", "cpu,cpuacct", "rdma"]), PATHS),
    max_size=6,
)


@given(LINES, st.randoms())
def test_order_of_the_lines_changes_nothing(lines: list[tuple[str, bytes]], random: Random) -> None:
    """Controllers are numbered anew at each boot."""
    content = [
        str(number).encode() + b":" + controllers.encode() + b":/" + path.replace(b"\n", b"")
        for number, (controllers, path) in enumerate(dict(lines).items())
    ]
    shuffled = list(content)
    random.shuffle(shuffled)
    assert place_of(b"\n".join(content)) == place_of(b"\n".join(shuffled))


def test_path_may_hold_colons_and_the_word_deleted() -> None:
    assert place_of(b"0::/a:b/c (deleted) d.service\n").unit == "c (deleted) d.service"


@pytest.mark.parametrize("length", [63, 65])
def test_what_is_no_id_is_no_container(length: int) -> None:
    name = (ID * 2)[:length]
    assert parse(f"/docker/{name}".encode()).container_id == ""
    assert parse(f"/system.slice/docker-{name}.scope".encode()).container_id == ""


def test_no_line_is_no_path_and_the_root_is_one() -> None:
    assert (place_of(b"").path, place_of(b"0::/\n").path) == ("", "/")
