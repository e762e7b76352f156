"""What the compose files start finds its files and each other, and may do no more than it has to."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.owners import runtime_files
from testbed import programs, syscalls, waiting
from testbed.daemon import running
from testbed.prometheus import Prometheus
from testbed.waiting import equals, until
from tests.deploy.compose.files import BASE, CONTAINERS, FOLDER, ROOT, Service, services

# Folders of the host that may be seen, and never changed.
_OF_THE_HOST = {"/sys/fs/cgroup", "/run/netns", "/var/lib/docker/containers"}
_LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="module")
def stack() -> dict[str, Service]:
    """The services of the one file."""
    return services(BASE)


@pytest.fixture(scope="module")
def everywhere() -> dict[str, Service]:
    """The services with the file for all containers."""
    return services(BASE, CONTAINERS)


def read(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text())


def test_every_service_gives_up_what_it_does_not_need(stack: dict[str, Service]) -> None:
    for service in stack.values():
        assert service.told["cap_drop"] == ["ALL"]
        assert service.told["security_opt"] == ["no-new-privileges:true"]
        assert service.told["read_only"] is True
        assert {"cap_add", "pid", "privileged", "user"} & service.told.keys() == set()


def test_for_all_containers_the_exporter_gets_three_capabilities_and_the_rest_stays(
    stack: dict[str, Service], everywhere: dict[str, Service]
) -> None:
    told = everywhere["exporter"].told
    assert set(told["cap_add"]) == {"SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"}
    assert (told["user"], told["pid"]) == ("0:0", "host")
    assert set(told["security_opt"]) == {"no-new-privileges:true", "apparmor:unconfined"}
    for name in ("build", "command", "cap_drop", "read_only", "network_mode"):
        assert told[name] == stack["exporter"].told[name]
    assert stack["exporter"].mounts.items() <= everywhere["exporter"].mounts.items()
    for name in stack.keys() - {"exporter"}:
        assert everywhere[name].mounts == stack[name].mounts
        assert {**everywhere[name].told, "volumes": []} == {**stack[name].told, "volumes": []}


def test_everything_that_is_mounted_is_there_and_read_only(everywhere: dict[str, Service]) -> None:
    volumes = set()
    for service in everywhere.values():
        for mount in service.told["volumes"]:
            source, _, options = mount.split(":")
            if not source.startswith("/"):
                volumes.add(source)
                continue
            assert "ro" in options.split(","), mount
            if Path(source).is_relative_to(ROOT):
                assert Path(source).is_dir(), mount
            else:
                assert source in _OF_THE_HOST, mount
    assert volumes == read(FOLDER / BASE)["volumes"].keys()


def test_the_file_for_containers_has_every_folder_that_names_come_from() -> None:
    lines = (FOLDER / CONTAINERS).read_text().splitlines()
    mounted = {line.strip("# -").split(":")[0] for line in lines if re.match(r"\s*(# )?- /", line)}
    read_from = {
        value
        for name, value in vars(runtime_files).items()
        if name.startswith("_") and isinstance(value, str) and value.startswith("/var/")
    }
    assert len(read_from) == 5
    assert mounted == read_from | {"/run/netns"}


def test_the_exporter_is_built_from_what_is_here_and_the_others_have_a_version(
    stack: dict[str, Service],
) -> None:
    build = stack["exporter"].told["build"]
    assert Path(build["context"]) == ROOT
    # docker-compose 1 prints no dockerfile where it is the default.
    assert (ROOT / build.get("dockerfile", "Dockerfile")).is_file()
    others = [service.told["image"] for name, service in stack.items() if name != "exporter"]
    assert len(others) == 3
    assert [image for image in others if not re.fullmatch(r"\w+/\w+:v?\d+\.\d+\.\d+", image)] == []


def test_nothing_listens_where_other_machines_reach_it(stack: dict[str, Service]) -> None:
    for name in ("exporter", "prometheus", "alertmanager"):
        assert stack[name].flags["--web.listen-address"].startswith(f"{_LOOPBACK}:")
    assert stack["alertmanager"].flags["--cluster.listen-address"] == ""
    assert stack["grafana"].told["environment"]["GF_SERVER_HTTP_ADDR"] == _LOOPBACK
    assert {service.told["network_mode"] for service in stack.values()} == {"host"}


def test_each_is_asked_where_it_listens(stack: dict[str, Service]) -> None:
    """Prometheus asks the exporter and tells Alertmanager; Grafana asks Prometheus."""
    config = read(stack["prometheus"].source(stack["prometheus"].flags["--config.file"]))
    (job,) = config["scrape_configs"]
    (receiver,) = config["alerting"]["alertmanagers"]
    (told,) = receiver["static_configs"]
    (asked,) = job["static_configs"]
    (source,) = _data_sources(stack)
    found = {
        "exporter": asked["targets"],
        "alertmanager": told["targets"],
        "prometheus": [source["url"].removeprefix("http://")],
    }
    for name, addresses in found.items():
        listens = stack[name].flags["--web.listen-address"]
        assert addresses == [listens.replace(_LOOPBACK, "localhost")]


def test_prometheus_takes_its_configuration_and_every_rule(stack: dict[str, Service], tmp_path: Path) -> None:
    service = stack["prometheus"]
    service.lay_out(tmp_path)
    config = Path(f"{tmp_path}{service.flags['--config.file']}")
    said = programs.output("promtool", "check", "config", str(config))
    # Rule files that are named and missing fail; a pattern that matches none does not.
    found = {Path(name).name for name in re.findall(r"Checking (\S+\.yml)\n  SUCCESS: \d+ rules", said)}
    assert found == {"alerts.yml", "recording.yml"}


def test_alertmanager_takes_its_configuration(stack: dict[str, Service], tmp_path: Path) -> None:
    service = stack["alertmanager"]
    service.lay_out(tmp_path)
    programs.output("amtool", "check-config", f"{tmp_path}{service.flags['--config.file']}")


def test_grafana_opens_on_the_dashboard_that_is_mounted(stack: dict[str, Service]) -> None:
    grafana = stack["grafana"]
    (provider,) = read(grafana.source("/etc/grafana/provisioning/dashboards/listen-queue.yaml"))["providers"]
    home = grafana.told["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert provider["type"] == "file"
    assert Path(home).parent == Path(provider["options"]["path"])
    # Whatever else ends so in that folder would be taken for a dashboard.
    assert list(grafana.source(provider["options"]["path"]).rglob("*.json")) == [grafana.source(home)]


def test_the_dashboard_asks_a_data_source_that_there_is(stack: dict[str, Service]) -> None:
    grafana = stack["grafana"]
    home = grafana.told["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    dashboard = json.loads(grafana.source(home).read_text())
    (source,) = _data_sources(stack)
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    asked = {each["uid"] for each in _ref_counts(dashboard) if each.get("type") == "prometheus"}
    # A variable of this kind begins with the default one.
    chosen = {
        f"${{{variable['name']}}}"
        for variable in dashboard["templating"]["list"]
        if (variable["type"], variable.get("query")) == ("datasource", "prometheus")
    }
    assert asked
    assert asked <= chosen | {source["uid"]}


def test_nobody_can_log_in_to_grafana_with_a_password_that_everybody_knows(
    stack: dict[str, Service],
) -> None:
    environment = stack["grafana"].told["environment"]
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


class ComposedPrometheus(Prometheus):
    """Prometheus as the compose file starts it, with its files in `folder`."""

    def __init__(self, service: Service, folder: Path) -> None:
        service.lay_out(folder)
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [programs.find("prometheus"), *service.command(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # the lab has one thread
            )


@pytest.mark.netns
@pytest.mark.timeout(150)
def test_the_prometheus_that_it_starts_scrapes_the_exporter_and_evaluates_every_rule(
    stack: dict[str, Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A scrape, and an evaluation behind it, come within 15 s each.
    monkeypatch.setattr(waiting, "DEADLINE_SECONDS", 60.0)
    config = stack["exporter"].source(stack["exporter"].flags["--config.file"])
    with (
        running(config=config.read_text()) as exporter,
        ComposedPrometheus(stack["prometheus"], tmp_path) as prometheus,
    ):
        assert stack["exporter"].flags["--web.listen-address"] == f"{_LOOPBACK}:{exporter.port}"
        until(lambda: [each["health"] for each in prometheus.targets()], lambda found: found == ["up"])
        until(lambda: prometheus.value('listen_queue_accept_limit{port="9090"}'), bool)
        until(lambda: {each["health"] for each in prometheus.rules()}, equals({"ok"}))
        until(prometheus.alertmanagers, equals(["http://localhost:9093/api/v2/alerts"]))


def _data_sources(stack: dict[str, Service]) -> list[dict[str, Any]]:
    path = stack["grafana"].source("/etc/grafana/provisioning/datasources/prometheus.yaml")
    found: list[dict[str, Any]] = read(path)["datasources"]
    return found


def _ref_counts(part: Any) -> list[dict[str, Any]]:
    """Every mapping below a key `datasource`."""
    if isinstance(part, list):
        return [found for each in part for found in _ref_counts(each)]
    if not isinstance(part, dict):
        return []
    own = [part["datasource"]] if isinstance(part.get("datasource"), dict) else []
    return own + [found for each in part.values() for found in _ref_counts(each)]
