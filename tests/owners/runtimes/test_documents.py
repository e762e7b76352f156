"""Whatever is in the files of runtimes is read without an error, and within limits."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.owners.host_files import HostFiles
from exporter.owners.runtimes.daemon_roots import find_roots
from exporter.owners.runtimes.documents import DocumentReader
from exporter.owners.runtimes.lookup import look_up
from exporter.owners.runtimes.names import NO_NAMES, name_of
from tests.owners.fake_host import FakeFiles
from tests.owners.runtime_file_paths import (
    CONTAINER_ID,
    CRI_ANNOTATIONS,
    CRI_TASK,
    CRIO,
    DOCKER,
    KUBERNETES_LABELS,
    NERDCTL,
    NERDCTL_TASK,
    PODMAN,
)
from tests.owners.runtimes.daemons import daemon
from tests.owners.runtimes.lookups import files_of, location, names_in

MAX_CONTAINER_BYTES, MAX_CONFIGURATION_BYTES = 1 << 20, 64 << 10
PATHS = [DOCKER, PODMAN, CRIO, NERDCTL, CRI_TASK, NERDCTL_TASK]
EVERYWHERE = [location(runtime) for runtime in ("docker", "podman", "cri-o", "containerd", "")]
BROKEN = [
    b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff\xfe", b'{"Name": 7}', b'{"Name": null, "Config": []}',
    b"[" * 100_000, b'[{"id": 1, "names": 2}]', b'[{"names": [1]}]', b'{"annotations": [1]}', b"1" * 5000,
    PermissionError(), IsADirectoryError(), FileNotFoundError(),
]  # fmt: skip


@pytest.mark.parametrize("content", BROKEN)
@pytest.mark.parametrize("path", PATHS)
def test_a_malformed_or_unreadable_file_gives_no_names(path: str, content: bytes | OSError) -> None:
    assert [names_in({path: content}, where) for where in EVERYWHERE] == [NO_NAMES] * len(EVERYWHERE)


@pytest.mark.parametrize("content", [*BROKEN, b"a = [" * 100_000, b"a." * 5000 + b"a = 1", b"[storage]\nx"])
def test_a_malformed_configuration_is_empty(content: bytes | OSError) -> None:
    documents = DocumentReader(FakeFiles({"/x": content}))
    assert documents.toml_configuration("/x").get("root") is None
    assert documents.json_configuration("/x").get("data-root") is None


KEYS = st.sampled_from(
    ["id", "names", "Name", "Config", "Labels", "annotations", *KUBERNETES_LABELS, *CRI_ANNOTATIONS]
)
STRINGS = st.sampled_from([CONTAINER_ID, "Name", *KUBERNETES_LABELS])
DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), STRINGS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
)


@given(st.one_of(st.binary(), DOCUMENTS.map(lambda document: json.dumps(document).encode())))
def test_any_content_is_read_without_an_error(content: bytes) -> None:
    for where in EVERYWHERE:
        names_in(dict.fromkeys(PATHS, content), where)


@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=250))
def test_any_name_in_a_document_is_made_printable(name: str) -> None:
    annotations = dict.fromkeys((*KUBERNETES_LABELS, *CRI_ANNOTATIONS), name)
    files = files_of(
        {
            DOCKER: {"Name": f"/{name}", "Config": {"Labels": {}}},
            PODMAN: [{"id": CONTAINER_ID, "names": [name]}],
            CRIO: {"annotations": annotations},
            CRI_TASK: {"annotations": annotations},
        }
    )
    for where in (location("docker"), location("podman"), location("cri-o"), location("containerd")):
        names = names_in(files, where)
        assert names.container
        assert f"{names.container}{names.pod}{names.namespace}".isprintable()


def test_a_lone_surrogate_of_json_is_escaped() -> None:
    found = names_in({DOCKER: b'{"Name": "/a\\ud800\\n"}'}, location("docker"))
    assert found.container == r"a\xed\xa0\x80\x0a"


def test_a_name_that_no_engine_would_accept_is_none() -> None:
    assert (name_of("a" * 255), name_of("a" * 256), name_of(7), name_of(None)) == ("a" * 255, "", "", "")


def test_a_document_above_its_limit_is_empty() -> None:
    def padded(length: int) -> bytes:
        return b'{"Name": "/web"}'.ljust(length)

    files = FakeFiles({"/fits": padded(MAX_CONTAINER_BYTES), "/large": padded(MAX_CONTAINER_BYTES + 1)})
    documents = DocumentReader(files)
    assert (documents.container("/fits"), documents.container("/large")) == ({"Name": "/web"}, {})
    toml = b"root = 'x'\n"
    files.files["/fits"] = toml.ljust(MAX_CONFIGURATION_BYTES, b"\n")
    files.files["/large"] = toml.ljust(MAX_CONFIGURATION_BYTES + 1, b"\n")
    assert documents.toml_configuration("/fits") == {"root": "x"}
    assert documents.toml_configuration("/large") == {}
    files.files["/large"] = padded(MAX_CONFIGURATION_BYTES + 1)
    assert documents.json_configuration("/large") == {}


MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[" + b"[]," * (MEGABYTE // 3) + b"[]]", id="lists"),
        pytest.param(b"[" + b"{}," * (MEGABYTE // 3) + b"{}]", id="objects"),
        pytest.param(b"[" + b"1.5," * MEGABYTE + b"1]", id="numbers"),
        pytest.param(
            b'[{"id": "x", "a": {' + b",".join(b'"%d":[]' % number for number in range(300_000)) + b"}}]",
            id="keys",
        ),
        pytest.param(b'[{"id": "' + b"\\u0007" * (MEGABYTE // 2) + b'"}]', id="escapes"),
        pytest.param(('[{"id": "\U0001f600' + "a" * 3 * MEGABYTE).encode() + b'"}]', id="wide"),
        pytest.param(b"[" * 4 * MEGABYTE, id="nested"),
        pytest.param(b"x" * 8 * MEGABYTE, id="large"),
    ],
)
def test_a_list_that_was_made_to_cost_takes_little_memory(content: bytes) -> None:
    documents = DocumentReader(FakeFiles({"/list": content}))
    tracemalloc.start()
    documents.containers("/list")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * MEGABYTE


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"a" + b".a" * 30_000 + b" = 1\n", id="key"),
        pytest.param(b"[a" + b".a" * 30_000 + b"]\n", id="table"),
        pytest.param((b"a" + b".a" * 32 + b" = 1\n") * 900, id="keys"),
        pytest.param(b"".join(b"[a%d%s]\n" % (number, b".a" * 32) for number in range(800)), id="tables"),
        pytest.param(b"a = " + b"[" * 60_000, id="nested"),
        pytest.param(b"a = [" + b"1," * 30_000 + b"]", id="values"),
    ],
)
def test_a_configuration_that_was_made_to_cost_takes_little_memory(content: bytes) -> None:
    """Anybody may start a program with the name of a daemon, and with such a file."""
    documents = DocumentReader(FakeFiles({"/etc/config.toml": content}))
    tracemalloc.start()
    documents.toml_configuration("/etc/config.toml")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * MEGABYTE


def test_a_list_of_as_many_containers_as_a_host_has_is_read() -> None:
    metadata = json.dumps({"image-name": "docker.io/library/web:latest", "name": "web", "created-at": 1})
    containers = [
        {
            "id": f"{number:064x}",
            "names": [f"c{number}"],
            "image": "0" * 64,
            "layer": "0" * 64,
            "metadata": metadata,
            "created": "2026-01-01T00:00:00Z",
            "flags": {"MountLabel": "", "ProcessLabel": ""},
        }
        for number in range(2000)
    ]
    documents = DocumentReader(files_of({PODMAN: containers}))
    assert len(documents.containers(PODMAN)) == len(containers)


def test_what_is_about_many_containers_is_read_once() -> None:
    containers = [{"id": f"{number:064x}", "names": [f"c{number}"]} for number in range(50)]
    names = {f"/names/c{number}": f"{number:064x}".encode() for number in range(50)}
    disk = files_of({PODMAN: containers, **names})
    documents = DocumentReader(disk)
    for _ in range(50):
        assert len(documents.containers(PODMAN)) == 50
        assert documents.names_by_content("/names")[f"{7:064x}"] == "c7"
        assert len(documents.names("/names")) == 50
    assert len(disk.requested) == 1 + 50 + 1


@pytest.mark.parametrize("escape", ["\\ud800", "\\u0000"])
def test_a_path_that_cannot_be_opened_leads_to_nothing(escape: str, tmp_path: Path) -> None:
    """Any user may run a program called dockerd, and write what it is told by its configuration."""
    file = tmp_path / "daemon.json"
    file.write_text(f'{{"data-root": "/a{escape}"}}')
    documents = DocumentReader(HostFiles())
    path = str(documents.json_configuration(str(file))["data-root"])
    assert (documents.names(path), documents.text(path), documents.names_by_content(path)) == ([], "", {})
    assert (documents.container(path), documents.toml_configuration(path)) == ({}, {})
    roots = find_roots([daemon("dockerd", f"--config-file={file}", uid=1000)], documents)
    where = location("docker", path="/user.slice/user-1000.slice/docker-x.scope")
    assert look_up(documents, roots, where) == NO_NAMES


@pytest.mark.parametrize("line", [b"a" + b".a" * 60_000, b"a" + b".a" * 250, b'["a".b' + b".c" * 250 + b"]"])
def test_keys_with_many_dots_take_a_short_time(line: bytes) -> None:
    """What tomllib takes for a key grows with the square of its dots."""
    content = (line + b" = 1\n") * (MAX_CONFIGURATION_BYTES // len(line))
    started = time.thread_time()
    DocumentReader(FakeFiles({"/x": content[:MAX_CONFIGURATION_BYTES]})).toml_configuration("/x")
    assert time.thread_time() - started < 10
