"""The services of the compose files find their files and each other, and have few privileges."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.owners.runtimes.roots import DEFAULT_ROOTS
from testbed import programs
from testbed.daemon import running
from testbed.prometheus import Prometheus
from testbed.waiting import equals, until
from tests.deploy.compose.files import BASE, CONTAINERS, FOLDER, ROOT, WEB_CONFIG, Service, services

# One worker of pytest-xdist: docker-compose takes two seconds to read the files for the fixtures.
pytestmark = pytest.mark.xdist_group("compose")

# Folders of the host that may be mounted, read-only.
_HOST_FOLDERS = {"/sys/fs/cgroup", "/run/netns", "/var/lib/docker/containers"}
_LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="module")
def base() -> dict[str, Service]:
    """The services of the first file."""
    return services(BASE)


@pytest.fixture(scope="module")
def with_containers() -> dict[str, Service]:
    """The services of both files."""
    return services(BASE, CONTAINERS)


def read(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text())


def test_no_service_has_capabilities_or_a_writable_root(base: dict[str, Service]) -> None:
    for service in base.values():
        assert service.definition["cap_drop"] == ["ALL"]
        assert service.definition["security_opt"] == ["no-new-privileges:true"]
        assert service.definition["read_only"] is True
        assert {"cap_add", "pid", "privileged", "user"} & service.definition.keys() == set()


def test_with_containers_the_exporter_has_the_capabilities_it_needs_and_nothing_else_changes(
    base: dict[str, Service], with_containers: dict[str, Service]
) -> None:
    definition = with_containers["exporter"].definition
    assert set(definition["cap_add"]) == {"SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH", "SETUID", "SETGID"}
    assert (definition["user"], definition["pid"]) == ("0:0", "host")
    assert set(definition["security_opt"]) == {"no-new-privileges:true", "apparmor:unconfined"}
    for name in ("build", "command", "cap_drop", "read_only", "network_mode"):
        assert definition[name] == base["exporter"].definition[name]
    assert base["exporter"].mounts.items() <= with_containers["exporter"].mounts.items()
    for name in base.keys() - {"exporter"}:
        assert with_containers[name].mounts == base[name].mounts
        assert {**with_containers[name].definition, "volumes": []} == {**base[name].definition, "volumes": []}


def test_with_a_web_configuration_a_flag_and_a_folder_are_added(base: dict[str, Service]) -> None:
    ours, theirs = services(BASE, WEB_CONFIG)["exporter"], base["exporter"]
    folder = "/etc/listen-queue-exporter-web"
    assert ours.flags == {**theirs.flags, "--web.config.file": f"{folder}/web.yml"}
    assert ours.mounts.keys() == theirs.mounts.keys() | {folder}
    assert ours.source(folder) == FOLDER / "exporter-web"


def test_everything_that_is_mounted_exists_and_is_read_only(with_containers: dict[str, Service]) -> None:
    volumes = set()
    for service in with_containers.values():
        for mount in service.definition["volumes"]:
            source, _, options = mount.split(":")
            if not source.startswith("/"):
                volumes.add(source)
                continue
            assert "ro" in options.split(","), mount
            if Path(source).is_relative_to(ROOT):
                assert Path(source).is_dir(), mount
            else:
                assert source in _HOST_FOLDERS, mount
    assert volumes == read(FOLDER / BASE)["volumes"].keys()


def test_the_file_for_containers_names_every_folder_that_container_names_are_read_from() -> None:
    lines = (FOLDER / CONTAINERS).read_text().splitlines()
    mounted = {line.strip("# -").split(":")[0] for line in lines if re.match(r"\s*(# )?- /", line)}
    # Below /run are mounts of containers, which would be kept there.
    below_var = (*DEFAULT_ROOTS.storage, *DEFAULT_ROOTS.nerdctl)
    read_from = {root.path for root in below_var if root.path.startswith("/var/")}
    read_from |= {f"{root.path}/containers" for root in DEFAULT_ROOTS.docker}
    assert len(read_from) == 4
    assert mounted == read_from | {"/var/log/pods", "/var/log/containers", "/run/netns"}


def test_the_exporter_is_built_from_the_repository_and_the_other_images_have_a_version(
    base: dict[str, Service],
) -> None:
    build = base["exporter"].definition["build"]
    assert Path(build["context"]) == ROOT
    # docker-compose 1 prints no dockerfile where it is the default.
    assert (ROOT / build.get("dockerfile", "Dockerfile")).is_file()
    others = [service.definition["image"] for name, service in base.items() if name != "exporter"]
    assert len(others) == 3
    assert [image for image in others if not re.fullmatch(r"\w+/\w+:v?\d+\.\d+\.\d+", image)] == []


def test_every_service_listens_on_loopback(base: dict[str, Service]) -> None:
    for name in ("exporter", "prometheus", "alertmanager"):
        assert base[name].flags["--web.listen-address"].startswith(f"{_LOOPBACK}:")
    assert base["alertmanager"].flags["--cluster.listen-address"] == ""
    assert base["grafana"].definition["environment"]["GF_SERVER_HTTP_ADDR"] == _LOOPBACK
    assert {service.definition["network_mode"] for service in base.values()} == {"host"}


def test_each_service_is_configured_with_the_addresses_of_the_others(base: dict[str, Service]) -> None:
    """Prometheus with those of the exporter and Alertmanager, Grafana with that of Prometheus."""
    config = read(base["prometheus"].source(base["prometheus"].flags["--config.file"]))
    (job,) = config["scrape_configs"]
    (receiver,) = config["alerting"]["alertmanagers"]
    (alerts,) = receiver["static_configs"]
    (scraped,) = job["static_configs"]
    (source,) = _data_sources(base)
    found = {
        "exporter": scraped["targets"],
        "alertmanager": alerts["targets"],
        "prometheus": [source["url"].removeprefix("http://")],
    }
    for name, addresses in found.items():
        listens = base[name].flags["--web.listen-address"]
        assert addresses == [listens.replace(_LOOPBACK, "localhost")]


def test_prometheus_accepts_its_configuration_and_every_rule(
    base: dict[str, Service], tmp_path: Path
) -> None:
    service = base["prometheus"]
    service.lay_out(tmp_path)
    config = Path(f"{tmp_path}{service.flags['--config.file']}")
    output = programs.output("promtool", "check", "config", str(config))
    # A rule file that is missing is an error, a pattern that matches none is not.
    found = {Path(name).name for name in re.findall(r"Checking (\S+\.yml)\n  SUCCESS: \d+ rules", output)}
    assert found == {"alerts.yml", "recording.yml"}


def test_alertmanager_accepts_its_configuration(base: dict[str, Service], tmp_path: Path) -> None:
    service = base["alertmanager"]
    service.lay_out(tmp_path)
    programs.output("amtool", "check-config", f"{tmp_path}{service.flags['--config.file']}")


def test_the_home_page_of_grafana_is_the_dashboard_that_is_mounted(base: dict[str, Service]) -> None:
    grafana = base["grafana"]
    (provider,) = read(grafana.source("/etc/grafana/provisioning/dashboards/listen-queue.yaml"))["providers"]
    home = grafana.definition["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert provider["type"] == "file"
    assert Path(home).parent == Path(provider["options"]["path"])
    # Grafana reads every file of this name in the folder as a dashboard.
    assert list(grafana.source(provider["options"]["path"]).rglob("*.json")) == [grafana.source(home)]


def test_the_data_source_of_the_dashboard_exists(base: dict[str, Service]) -> None:
    grafana = base["grafana"]
    home = grafana.definition["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    dashboard = json.loads(grafana.source(home).read_text())
    (source,) = _data_sources(base)
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    used = {each["uid"] for each in _data_sources_in(dashboard) if each.get("type") == "prometheus"}
    # The first value of such a variable is the default data source.
    variables = {
        f"${{{variable['name']}}}"
        for variable in dashboard["templating"]["list"]
        if (variable["type"], variable.get("query")) == ("datasource", "prometheus")
    }
    assert used
    assert used <= variables | {source["uid"]}


def test_grafana_has_no_user_with_a_default_password(
    base: dict[str, Service],
) -> None:
    environment = base["grafana"].definition["environment"]
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


class ComposedPrometheus(Prometheus):
    """Prometheus with the files and the flags of the compose file, below `folder`."""

    def __init__(self, service: Service, folder: Path) -> None:
        service.lay_out(folder)
        config = Path(f"{folder}{service.flags['--config.file']}")
        # A test would wait half a minute for the first scrape and the first evaluation.
        config.write_text(config.read_text().replace("15s", "1s"))
        super().__init__(folder, service.command(folder))


@pytest.mark.netns
def test_its_prometheus_scrapes_the_exporter_and_evaluates_every_rule(
    base: dict[str, Service], tmp_path: Path
) -> None:
    config = base["exporter"].source(base["exporter"].flags["--config.file"])
    with (
        ComposedPrometheus(base["prometheus"], tmp_path) as prometheus,
        running(config=config.read_text()) as exporter,
    ):
        assert base["exporter"].flags["--web.listen-address"] == f"{_LOOPBACK}:{exporter.port}"
        until(lambda: [each["health"] for each in prometheus.targets()], equals(["up"]))
        until(lambda: prometheus.value('listen_queue_accept_limit{port="9090"}'), bool)
        until(lambda: {each["health"] for each in prometheus.rules()}, equals({"ok"}))
        until(prometheus.alertmanagers, equals(["http://localhost:9093/api/v2/alerts"]))


def _data_sources(base: dict[str, Service]) -> list[dict[str, Any]]:
    path = base["grafana"].source("/etc/grafana/provisioning/datasources/prometheus.yaml")
    found: list[dict[str, Any]] = read(path)["datasources"]
    return found


def _data_sources_in(part: Any) -> list[dict[str, Any]]:
    """Every mapping below a key `datasource`."""
    if isinstance(part, list):
        return [found for each in part for found in _data_sources_in(each)]
    if not isinstance(part, dict):
        return []
    own = [part["datasource"]] if isinstance(part.get("datasource"), dict) else []
    return own + [found for each in part.values() for found in _data_sources_in(each)]
