"""The image is built from the Dockerfile on a Debian made here, and holds the exporter and no more."""

from __future__ import annotations

import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from exporter import __version__
from testbed.netns import Namespaces
from tests.deploy.image import base
from tests.deploy.image.buildah import Buildah
from tests.deploy.image.contained import Contained, Container
from tests.integration import listening_sockets
from tests.integration.metric_values import figure, until_figure

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "deploy" / "image" / "Dockerfile"
REVISION = "0123456789abcdef0123456789abcdef01234567"
ADDRESS = "--web.listen-address=127.0.0.1:10511"
# Measured: 51 on Debian 12, 41 on Debian 13, which has more of what Python needs in its base.
MOST_MEGABYTES = 58

# The base is made, and the image built, within the time of the first test that asks for it.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def buildah() -> Iterator[Buildah]:
    """A store of images that ends with the tests of this file."""
    with tempfile.TemporaryDirectory(prefix="images-") as folder:
        yield Buildah(Path(folder))


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def release(request: pytest.FixtureRequest) -> str:
    """The Debian that the image is built on."""
    return str(request.param)


@pytest.fixture(scope="module")
def image(buildah: Buildah, release: str) -> Iterator[Container]:
    """A container of the image."""
    buildah.load(base.archive(release), f"localhost/{release}")
    with tempfile.TemporaryDirectory(prefix="options-") as folder:
        arguments = {"BASE": f"localhost/{release}", "VERSION": __version__, "REVISION": REVISION}
        told = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        options = base.build_options(Path(folder))
        buildah.build(*told, *options, "--tag=localhost/exporter", "--file", DOCKERFILE, ROOT)
    name, root = buildah.container("localhost/exporter")
    yield Container(buildah, name, root, buildah.about("localhost/exporter"))
    buildah.run("rm", name)


@pytest.mark.netns
def test_it_serves_the_queues_of_the_host_as_nobody_and_ends_well(image: Container) -> None:
    with (
        closing(listening_sockets.tcp("127.0.0.1", 8080, backlog=7)) as listener,
        Contained(image, image.through_buildah(ADDRESS)).wait_ready() as exporter,
    ):
        waiting = listening_sockets.clients(listener, 3)
        until_figure(exporter, 3, "accept_length", netns="host", port="8080")
        assert figure(exporter, "accept_limit", netns="host", port="8080") == 7
        assert figure(exporter, "exporter_build_info", version=__version__, revision=REVISION) == 1
        (process,) = exporter.processes()
        assert Path(f"/proc/{process}").stat().st_uid == 65534
        assert "\tlevel=error" not in exporter.log
        assert exporter.stop() == 0, exporter.log
        del waiting


@pytest.mark.netns
def test_it_needs_neither_a_file_to_write_nor_a_capability(image: Container) -> None:
    refused = subprocess.run(
        image.read_only("touch", "/tmp/file"),  # noqa: S108 # where anybody might write otherwise
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Read-only file system" in refused.stderr
    with Contained(image, image.read_only(*image.entrypoint, ADDRESS)).wait_ready() as exporter:
        until_figure(exporter, 1, "exporter_source_success", source="inet", netns="host")
        assert exporter.stop() == 0, exporter.log


@pytest.mark.netns
def test_with_what_compose_adds_for_containers_it_sees_other_namespaces(image: Container) -> None:
    overlay = yaml.safe_load((ROOT / "deploy/compose/compose.containers.yaml").read_text())
    service = overlay["services"]["exporter"]
    command = image.read_only(
        *image.entrypoint,
        ADDRESS,
        user=service["user"],
        capabilities=service["cap_add"],
        mounts=[mount.split(":")[0] for mount in service["volumes"] if mount.startswith("/run/netns:")],
    )
    with Namespaces() as namespaces:
        namespaces.named("shop").listen_tcp(8080, backlog=5)
        with Contained(image, command).wait_ready() as exporter:
            until_figure(exporter, 5, "accept_limit", netns="shop", port="8080", process="container")
            assert exporter.stop() == 0, exporter.log


@pytest.mark.netns
def test_nothing_is_compiled_when_it_starts(image: Container) -> None:
    python = image.entrypoint[0]
    done = subprocess.run(
        image.read_only(python, "-v", *image.entrypoint[1:], "show", "--json"),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = [line for line in done.stderr.splitlines() if line.startswith("# code object from ")]
    assert any("/exporter/cli/__pycache__/" in line for line in loaded)
    assert [line for line in loaded if not line.endswith(".pyc'")] == []


def test_it_says_what_it_is_and_who_runs_it(image: Container, release: str) -> None:
    labels = {
        name.removeprefix("org.opencontainers.image."): value for name, value in image.about["Labels"].items()
    }
    assert labels["title"] == "listen-queue-exporter"
    assert labels["description"]
    assert labels["licenses"] == "Apache-2.0"
    assert (labels["version"], labels["revision"]) == (__version__, REVISION)
    assert labels["source"].startswith("https://")
    assert labels["documentation"].startswith("https://")
    assert labels["base.name"] == f"localhost/{release}"
    user, group = image.about["User"].split(":")
    assert int(user) != 0
    assert int(group) != 0
    assert image.entrypoint == ["/opt/exporter/bin/python", "-I", "-m", "exporter"]
    assert list(image.about["ExposedPorts"]) == ["10511/tcp"]


def test_nothing_is_left_of_the_build(image: Container) -> None:
    """Neither tools nor lists nor caches, and nothing that its user could change."""
    places = (
        "usr/bin",
        "usr/local/bin",
        "usr/lib/python3*",
        "usr/lib/python3*/*-packages",
        "opt/exporter/**",
    )
    names = {path.name.partition("-")[0] for place in places for path in image.root.glob(f"{place}/*")}
    assert {"python3", "ssl.py", "tornado"} <= names
    assert names & {"pip", "pip3", "gcc", "cc", "make", "setuptools", "ensurepip", "wheel"} == set()
    assert [path for path in (image.root / "var/lib/apt/lists").rglob("*") if path.is_file()] == []
    assert [path for path in (image.root / "var/cache/apt").rglob("*") if path.is_file()] == []
    ours = [path for path in (image.root / "opt").rglob("*") if not path.is_symlink()]
    assert {path.stat().st_uid for path in ours} == {0}
    assert [path for path in ours if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)] == []


def test_its_packages_are_those_of_the_lock(image: Container) -> None:
    locked = {
        line.split(" ")[0].replace("-", "_")
        for line in (ROOT / "locks/run.txt").read_text().splitlines()
        if "==" in line
    }
    found = image.root.glob("opt/exporter/lib/python3*/site-packages/*.dist-info")
    assert {"==".join(path.name.removesuffix(".dist-info").rsplit("-", 1)) for path in found} == locked


def test_it_adds_few_megabytes_to_its_base(
    image: Container, release: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(base.archive(release)) as archive:
        # A file with several names is in an archive under the first of them only.
        files = ((each.name, archive.getmember(each.linkname) if each.islnk() else each) for each in archive)
        below = {Path(name): file.size for name, file in files if file.isfile()}
    inside = {path.relative_to(image.root): path for path in image.root.rglob("*") if not path.is_symlink()}
    sizes = {name: path.stat().st_size for name, path in inside.items() if path.is_file()}
    assert below.keys() & sizes.keys()
    added = sum(size for name, size in sizes.items() if below.get(name) != size) / 1e6
    with capsys.disabled():
        print(f"\nthe image on {release}: {added:.1f} MB above its base")  # noqa: T201
    assert added < MOST_MEGABYTES


def test_a_build_is_sent_what_it_copies_and_nothing_else(buildah: Buildah, tmp_path: Path) -> None:
    everything = tmp_path / "Dockerfile"
    everything.write_text("FROM scratch\nCOPY . /\n")
    buildah.build("--tag=localhost/context", "--file", everything, ROOT)
    _, root = buildah.container("localhost/context")
    sent = {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
    wanted = {path.relative_to(ROOT) for path in (ROOT / "exporter").rglob("*.py")}
    assert sent == wanted | {Path("LICENSE"), Path("locks/run.txt")}
