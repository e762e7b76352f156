"""The image: built with `buildah build .` on a minimal Debian made here, inspected, and run."""

from __future__ import annotations

import re
import stat
import subprocess
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from exporter import __version__
from testbed import debian
from testbed.netns import Namespaces
from tests.deploy.image import base
from tests.deploy.image.buildah import Buildah
from tests.deploy.image.container import Container, ContainerDaemon
from tests.integration import listening_sockets
from tests.integration.metric_values import figure, until_figure

ROOT = Path(__file__).resolve().parents[3]
REVISION = "0123456789abcdef0123456789abcdef01234567"
ADDRESS = "--web.listen-address=127.0.0.1:10511"
# Measured: 51 on Debian 12, 41 on Debian 13, whose base has more of what Python needs.
MAX_MEGABYTES = 58

# The first test of each release makes the base and builds the image within its own time.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def buildah() -> Iterator[Buildah]:
    """A store of images that is removed after the tests of this module."""
    with tempfile.TemporaryDirectory(prefix="images-") as folder:
        yield Buildah(Path(folder))


# With pytest-xdist the tests of one release run in one worker, which builds the image once.
_RELEASES = [
    pytest.param(release, marks=pytest.mark.xdist_group(f"image of {release}")) for release in base.RELEASES
]


@pytest.fixture(scope="module", params=_RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """The Debian release that the image is built on."""
    return str(request.param)


@pytest.fixture(scope="module")
def image(buildah: Buildah, release: str) -> Iterator[Container]:
    """A container of the image, built in the root of the repository without naming the Dockerfile."""
    try:
        archive = base.archive(release)
    except debian.UnavailableError as error:
        pytest.skip(str(error))
    buildah.load(archive, f"localhost/{release}")
    with tempfile.TemporaryDirectory(prefix="options-") as folder:
        arguments = {"BASE": f"localhost/{release}", "VERSION": __version__, "REVISION": REVISION}
        build_arguments = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        options = base.build_options(Path(folder))
        buildah.build(*build_arguments, *options, "--tag=localhost/exporter", ".", cwd=ROOT)
    name, root = buildah.container("localhost/exporter")
    yield Container(buildah, name, root, buildah.config("localhost/exporter"))
    buildah.run("rm", name)


@pytest.mark.netns
def test_runs_as_nobody_serves_the_queues_of_the_host_and_exits_with_0(image: Container) -> None:
    with (
        closing(listening_sockets.tcp("127.0.0.1", 8080, backlog=7)) as listener,
        ContainerDaemon(image, image.buildah_command(ADDRESS)).wait_ready() as exporter,
    ):
        waiting = listening_sockets.clients(listener, 3)
        until_figure(exporter, 3, "accept_length", netns="host", port="8080")
        assert figure(exporter, "accept_limit", netns="host", port="8080") == 7
        assert figure(exporter, "exporter_build_info", version=__version__, revision=REVISION) == 1
        (process,) = exporter.processes()
        assert Path(f"/proc/{process}").stat().st_uid == 65534
        assert exporter.stop() == 0, exporter.log
        # The warning: nobody may not see the process that owns the listener of this test.
        levels = re.findall(r"^ts=\S+ level=(\w+) ", exporter.log, re.MULTILINE)
        assert set(levels) == {"info", "warn"}, exporter.log
        del waiting


@pytest.mark.netns
def test_needs_no_writable_file_system_and_no_capability(image: Container) -> None:
    refused = subprocess.run(
        image.read_only_command("touch", "/tmp/file"),  # noqa: S108 # the usual place to write to
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Read-only file system" in refused.stderr
    command = image.read_only_command(*image.entrypoint, ADDRESS)
    with ContainerDaemon(image, command).wait_ready() as exporter:
        until_figure(exporter, 1, "exporter_source_success", source="inet", netns="host")
        (process,) = exporter.processes()
        capabilities = re.findall(
            r"^Cap(?:Prm|Eff|Bnd):\t(\w+)$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE
        )
        assert [int(each, 16) for each in capabilities] == [0, 0, 0]
        assert exporter.stop() == 0, exporter.log


@pytest.mark.netns
def test_with_the_settings_of_compose_for_containers_it_samples_other_namespaces(image: Container) -> None:
    overlay = yaml.safe_load((ROOT / "deploy/compose/compose.containers.yaml").read_text())
    service = overlay["services"]["exporter"]
    command = image.read_only_command(
        *image.entrypoint,
        ADDRESS,
        user=service["user"],
        capabilities=service["cap_add"],
        mounts=[mount.split(":")[0] for mount in service["volumes"] if mount.startswith("/run/netns:")],
    )
    with Namespaces() as namespaces:
        namespaces.named("shop").listen_tcp(8080, backlog=5)
        with ContainerDaemon(image, command).wait_ready() as exporter:
            until_figure(exporter, 5, "accept_limit", netns="shop", port="8080", process="container")
            assert exporter.stop() == 0, exporter.log


@pytest.mark.netns
def test_every_module_is_loaded_from_compiled_code(image: Container) -> None:
    python = image.entrypoint[0]
    done = subprocess.run(
        image.read_only_command(python, "-v", *image.entrypoint[1:], "show", "--json"),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = [line for line in done.stderr.splitlines() if line.startswith("# code object from ")]
    assert any("/exporter/cli/__pycache__/" in line for line in loaded)
    assert [line for line in loaded if not line.endswith(".pyc'")] == []


def test_labels_user_and_entry_point(image: Container, release: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in image.config["Labels"].items()
    }
    assert labels["title"] == project["name"]
    assert labels["description"]
    assert labels["licenses"] == project["license"]
    assert (labels["version"], labels["revision"]) == (__version__, REVISION)
    assert labels["source"] == project["urls"]["Source"]
    assert labels["documentation"] == project["urls"]["Documentation"]
    assert labels["base.name"] == f"localhost/{release}"
    user, group = image.config["User"].split(":")
    assert int(user) != 0
    assert int(group) != 0
    assert image.entrypoint == ["/opt/exporter/bin/python", "-I", "-m", "exporter"]
    assert list(image.config["ExposedPorts"]) == ["10511/tcp"]


def test_no_build_tools_no_caches_and_no_file_that_its_user_can_change(image: Container) -> None:
    places = (
        "usr/bin",
        "usr/local/bin",
        "usr/lib/python3*",
        "usr/lib/python3*/*-packages",
        "opt/exporter/**",
    )
    names = {path.name.partition("-")[0] for place in places for path in image.root.glob(f"{place}/*")}
    assert {"python3", "ssl.py", "pyroute2"} <= names
    assert names & {"pip", "pip3", "gcc", "cc", "make", "setuptools", "ensurepip", "wheel"} == set()
    assert [path for path in (image.root / "var/lib/apt/lists").rglob("*") if path.is_file()] == []
    assert [path for path in (image.root / "var/cache/apt").rglob("*") if path.is_file()] == []
    installed = [path for path in (image.root / "opt").rglob("*") if not path.is_symlink()]
    assert {path.stat().st_uid for path in installed} == {0}
    assert [path for path in installed if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)] == []


def test_its_packages_are_those_of_the_lock(image: Container) -> None:
    locked = {
        line.split(" ")[0].replace("-", "_")
        for line in (ROOT / "locks/run.txt").read_text().splitlines()
        if "==" in line
    }
    found = image.root.glob("opt/exporter/lib/python3*/site-packages/*.dist-info")
    assert {"==".join(path.name.removesuffix(".dist-info").rsplit("-", 1)) for path in found} == locked


def test_size_above_the_base(image: Container, release: str, capsys: pytest.CaptureFixture[str]) -> None:
    with tarfile.open(base.archive(release)) as archive:
        # tar stores a file with several hard links once, under the first name.
        files = ((each.name, archive.getmember(each.linkname) if each.islnk() else each) for each in archive)
        in_base = {Path(name): file.size for name, file in files if file.isfile()}
    inside = {path.relative_to(image.root): path for path in image.root.rglob("*") if not path.is_symlink()}
    sizes = {name: path.stat().st_size for name, path in inside.items() if path.is_file()}
    assert in_base.keys() & sizes.keys()
    added = sum(size for name, size in sizes.items() if in_base.get(name) != size) / 1e6
    with capsys.disabled():
        print(f"\nthe image on {release}: {added:.1f} MB above its base")  # noqa: T201
    assert added < MAX_MEGABYTES


def test_the_build_context_is_what_the_dockerfile_copies(buildah: Buildah, tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    buildah.build("--tag=localhost/context", "--file", dockerfile, ".", cwd=ROOT)
    _, root = buildah.container("localhost/context")
    sent = {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
    package = {path.relative_to(ROOT) for path in (ROOT / "exporter").rglob("*") if path.is_file()}
    compiled = {path for path in package if path.parent.name == "__pycache__"}
    assert sent == (package - compiled) | {Path("LICENSE"), Path("locks/run.txt")}
