"""Units, containers and pods in the path of a cgroup."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.owners.cgroup_location import parse_cgroup_path
from tests.owners.cgroup_strategies import ID, PATHS


@given(PATHS)
@example(b"")
@example(b"/")
@example(b"/../..")
def test_any_path_has_a_printable_location(path: bytes) -> None:
    location = parse_cgroup_path(path)
    texts = [text for text in asdict(location).values() if isinstance(text, str)]
    assert all(text.isprintable() for text in texts)
    assert location.path.startswith("/")
    assert "/../" not in location.path + "/"
    assert location.container_id == "" or len(location.container_id) == 64
    assert not (location.container_id and location.container)
    assert "/" not in location.unit + location.slice


@given(
    PATHS.filter(lambda path: b"/" not in (path[:1], path[-1:])), st.sampled_from([b"/", b"/../", b"/../../"])
)
def test_dots_of_another_cgroup_namespace_change_nothing(path: bytes, above: bytes) -> None:
    assert parse_cgroup_path(above + path) == parse_cgroup_path(b"/" + path)


@pytest.mark.parametrize("length", [63, 64, 65])
def test_an_id_has_64_digits(length: int) -> None:
    name = (ID * 2)[:length]
    expected = name if length == 64 else ""
    assert parse_cgroup_path(f"/docker/{name}".encode()).container_id == expected
    assert parse_cgroup_path(f"/system.slice/docker-{name}.scope".encode()).container_id == expected


@pytest.mark.parametrize(
    ("parent", "runtime"),
    [("docker", "docker"), ("default", "containerd"), ("libpod_parent", "podman"), ("other", "")],
)
def test_runtime_of_an_id_without_a_prefix_is_that_of_the_parent(parent: str, runtime: str) -> None:
    location = parse_cgroup_path(f"/{parent}/{ID}".encode())
    assert (location.container_id, location.runtime) == (ID, runtime)


@pytest.mark.parametrize(
    ("below", "container"), [("payload/a.service", "web"), ("supervisor", ""), ("supervisor/a", "")]
)
def test_the_supervisor_of_nspawn_is_in_no_container(below: str, container: str) -> None:
    assert parse_cgroup_path(f"/systemd-nspawn@web.service/{below}".encode()).container == container


def test_dots_are_no_part_of_the_path() -> None:
    assert parse_cgroup_path(b"/.././a//b.service").path == "/a/b.service"


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        (b"/a.service/b.service", "b.service"),
        (b"/a.service/b.socket", "b.socket"),
        (b"/a.service/b.scope", "a.service"),
        (b"/a.scope/user@1.service", "a.scope"),
        (b"/user@1.service/a.scope", "a.scope"),
        (b"/user@1.service/init.scope", "user@1.service"),
        (b"/init.scope", "init.scope"),
        (b"/a.slice/b", ""),
    ],
)
def test_a_service_counts_before_a_scope_and_that_before_the_manager_of_a_user(
    path: bytes, unit: str
) -> None:
    assert parse_cgroup_path(path).unit == unit


@pytest.mark.parametrize(
    ("path", "task"),
    [
        (b"/default/web", "default/web"),
        (b"/shop/web-1.2_a", "shop/web-1.2_a"),
        (b"/default/web/init.scope", "default/web"),
        (b"/../default/web", "default/web"),
        (b"/default", ""),
        # Names of systemd's, of a container and of a pod say what they are.
        (b"/system.slice/web", ""),
        (b"/init.scope/web", ""),
        (b"/default/web.service", ""),
        (b"/docker/" + ID.encode(), ""),
        (b"/lxc/web", ""),
        (b"/kubepods/pod" + b"0" * 32, ""),
        # No names that containerd admits.
        (b"/default/-web", ""),
        (b"/default/web-", ""),
        (b"/default/" + b"a" * 77, ""),
        (b"/default/w\xff", ""),
    ],
)
def test_a_path_that_says_nothing_else_may_be_that_of_a_task_of_containerd(path: bytes, task: str) -> None:
    assert parse_cgroup_path(path).task == task
