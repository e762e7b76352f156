"""TLS and passwords in the chart: what is mounted, how the kubelet asks, and how Prometheus does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.deploy.kubernetes.chart import Helm
from tests.deploy.kubernetes.manifests import versions

FOLDER = "/etc/listen-queue-exporter-web"
SETTINGS = (
    "webConfig.secrets={web,tls}",
    "webConfig.probes=HTTPS",
    "podMonitor.enabled=true",
    "podMonitor.scheme=https",
    "podMonitor.tlsConfig.ca.secret.name=ca",
    "podMonitor.tlsConfig.ca.secret.key=ca.crt",
    "podMonitor.basicAuth.username.name=scrape",
    "podMonitor.basicAuth.username.key=username",
    "podMonitor.basicAuth.password.name=scrape",
    "podMonitor.basicAuth.password.key=password",
)


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    return Helm(tmp_path / "helm")


def container_of(helm: Helm, *settings: str) -> dict[str, Any]:
    (container,) = helm.render(*settings).pod.spec["containers"]
    found: dict[str, Any] = container
    return found


def test_secrets_are_files_in_one_folder_that_the_flag_names(helm: Helm) -> None:
    rendered = helm.render(*SETTINGS)
    (container,) = rendered.pod.spec["containers"]
    assert f"--web.config.file={FOLDER}/web.yml" in container["args"]
    volume, mount = rendered.pod.mounts[FOLDER]
    assert volume["projected"]["sources"] == [{"secret": {"name": "web"}}, {"secret": {"name": "tls"}}]
    assert mount["readOnly"] is True


def test_without_secrets_nothing_is_mounted(helm: Helm) -> None:
    assert not any("web.config" in flag for flag in container_of(helm)["args"])
    assert FOLDER not in helm.render().pod.mounts


@pytest.mark.parametrize(
    ("probes", "liveness"),
    [
        ("HTTP", {"httpGet": {"path": "/-/healthy", "port": "metrics"}}),
        ("HTTPS", {"httpGet": {"path": "/-/healthy", "port": "metrics", "scheme": "HTTPS"}}),
        ("TCP", {"tcpSocket": {"port": "metrics"}}),
    ],
)
def test_the_kubelet_asks_as_it_can(helm: Helm, probes: str, liveness: dict[str, Any]) -> None:
    container = container_of(helm, f"webConfig.probes={probes}")
    assert liveness.items() <= container["livenessProbe"].items()
    assert liveness.keys() <= container["readinessProbe"].keys()


def test_the_monitor_has_what_prometheus_shows_and_checks(helm: Helm) -> None:
    (endpoint,) = helm.render(*SETTINGS).one("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["scheme"] == "https"
    assert endpoint["tlsConfig"] == {"ca": {"secret": {"name": "ca", "key": "ca.crt"}}}
    assert endpoint["basicAuth"]["username"] == {"name": "scrape", "key": "username"}
    (plain,) = helm.render("podMonitor.enabled=true").one("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert not {"scheme", "tlsConfig", "basicAuth"} & plain.keys()


@pytest.mark.parametrize("version", versions("1.30"))
def test_kubernetes_knows_every_field(helm: Helm, version: str) -> None:
    helm.render(*SETTINGS).validate(version)


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("webConfig.probes=UDP", "webConfig.probes"),
        ("webConfig.secrets=web", "webConfig.secrets"),
        ("webConfig.file=a/b.yml", "webConfig.file"),
        ("webConfig.users.a=b", "webConfig"),
        ("podMonitor.scheme=ftp", "podMonitor.scheme"),
        ("podMonitor.basicAuth.username=prometheus", "podMonitor.basicAuth.username"),
    ],
)
def test_wrong_values_are_errors(helm: Helm, setting: str, place: str) -> None:
    error = helm.error(setting)
    assert place in error or place.replace(".", "/") in error
