"""The Helm chart: it renders what the kustomize folders do, and refuses values that mean nothing."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kubernetes import chart_schema, rules
from exporter import __version__
from exporter.cli.main import main
from tests.deploy.kubernetes.chart import CHART, Helm
from tests.deploy.kubernetes.manifests import Pod, kustomize, versions

ALL_PODS = "allPods.enabled=true"
OPERATOR = ("podMonitor.enabled=true", "prometheusRule.enabled=true")
SAME = pytest.mark.parametrize(
    ("setting", "folder"), [("allPods.enabled=false", "base"), (ALL_PODS, "all-pods")]
)
# As Chart.yaml says.
OLDEST = "1.30"


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    """Helm with a home of its own."""
    return Helm(tmp_path / "helm")


@pytest.mark.parametrize("settings", [(), (ALL_PODS, *OPERATOR)], ids=["default", "everything"])
def test_helm_finds_no_fault(helm: Helm, settings: tuple[str, ...]) -> None:
    flags = [flag for setting in settings for flag in ("--set", setting)]
    assert "0 chart(s) failed" in helm.output("lint", "--strict", str(CHART), *flags)


@pytest.mark.parametrize("version", versions(OLDEST))
@pytest.mark.parametrize("setting", ["allPods.enabled=false", ALL_PODS])
def test_every_field_is_one_that_kubernetes_knows(helm: Helm, setting: str, version: str) -> None:
    helm.render(setting, *OPERATOR).validate(version)


@SAME
def test_the_pod_is_that_of_kustomize(helm: Helm, setting: str, folder: str) -> None:
    chart, folder_s = helm.render(setting), kustomize(folder)
    assert _comparable(chart.pod) == _comparable(folder_s.pod)
    ours, theirs = (each.one("DaemonSet")["spec"]["updateStrategy"] for each in (chart, folder_s))
    assert ours == theirs
    annotation = "kubectl.kubernetes.io/default-container"
    assert chart.pod_metadata["annotations"][annotation] == folder_s.pod_metadata["annotations"][annotation]


def _comparable(pod: Pod) -> dict[str, Any]:
    """The pod without the name of its ConfigMap, which says what is in it, and without the order of lists."""
    found = copy.deepcopy(pod.spec)
    for volume in found["volumes"]:
        volume.get("configMap", {}).pop("name", None)
    # What Kubernetes takes where nothing is said, of an image with a version.
    found["containers"][0].setdefault("imagePullPolicy", "IfNotPresent")
    found["containers"][0]["volumeMounts"].sort(key=lambda mount: mount["name"])
    return found


def test_the_pod_finds_what_belongs_to_it(helm: Helm) -> None:
    rendered = helm.render(release="other")
    volume, _ = rendered.pod.mounts["/etc/listen-queue-exporter"]
    assert volume["configMap"]["name"] == rendered.one("ConfigMap")["metadata"]["name"]
    assert rendered.pod.spec["serviceAccountName"] == rendered.one("ServiceAccount")["metadata"]["name"]
    names = {document["metadata"]["name"] for document in rendered.documents}
    assert names == {"other-listen-queue-exporter"}


def test_a_cluster_that_is_too_old_is_refused(helm: Helm) -> None:
    done = helm.run("template", "it", str(CHART), "--kube-version", "1.29.0")
    assert done.returncode != 0
    assert "chart requires kubeVersion: >=1.30.0-0" in done.stderr


@SAME
def test_the_configuration_is_that_of_kustomize(
    helm: Helm, setting: str, folder: str, tmp_path: Path
) -> None:
    config = helm.render(setting).config
    assert yaml.safe_load(config) == yaml.safe_load(kustomize(folder).config)
    file = tmp_path / "config.yaml"
    file.write_text(config)
    assert main(["check-config", str(file)]) == 0


def test_the_monitor_is_that_of_kustomize(helm: Helm) -> None:
    ours, theirs = (each.one("PodMonitor")["spec"] for each in (helm.render(*OPERATOR), kustomize("base")))
    assert ours["podMetricsEndpoints"] == theirs["podMetricsEndpoints"]


def test_selectors_find_the_pod(helm: Helm) -> None:
    rendered = helm.render(*OPERATOR, "podLabels.team=edge")
    labels = rendered.pod_metadata["labels"]
    for kind in ("DaemonSet", "PodMonitor"):
        selector = rendered.one(kind)["spec"]["selector"]["matchLabels"]
        assert selector.items() <= labels.items()
    assert labels["team"] == "edge"


def test_every_rule_arrives_as_it_was_written(helm: Helm) -> None:
    """Helm would evaluate the templates in annotations, were they in one of its own."""
    arrived = helm.render(*OPERATOR).one("PrometheusRule")["spec"]
    assert arrived == {"groups": rules.groups()}
    assert "{{ $labels.instance }}" in json.dumps(arrived)


def test_without_prometheus_operator_nothing_of_it_is_sent(helm: Helm) -> None:
    assert helm.render().kinds == ["ConfigMap", "DaemonSet", "ServiceAccount"]
    assert helm.render(*OPERATOR).kinds == [
        "ConfigMap",
        "DaemonSet",
        "PodMonitor",
        "PrometheusRule",
        "ServiceAccount",
    ]


def test_labels_by_which_prometheus_selects_can_be_given(helm: Helm) -> None:
    given = [f"{key}.labels.release=stack" for key in ("podMonitor", "prometheusRule")]
    rendered = helm.render(*OPERATOR, *given)
    for kind in ("PodMonitor", "PrometheusRule"):
        assert rendered.one(kind)["metadata"]["labels"]["release"] == "stack"


def test_the_chart_is_of_this_version(helm: Helm) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    assert helm.render().pod.container["image"] == f"listen-queue-exporter:{__version__}"
    image = helm.render("image.repository=registry.example.com/lqe", "image.tag=next").pod.container["image"]
    assert image == "registry.example.com/lqe:next"


def test_another_port_is_another_port_everywhere(helm: Helm) -> None:
    pod = helm.render("port=10600").pod
    assert pod.port == 10600
    assert "--web.listen-address=:10600" in pod.args


def test_rules_of_the_configuration_hold_with_all_pods_too(helm: Helm, tmp_path: Path) -> None:
    given = ("config.rules[0].name=edge", "config.rules[0].match.port=80", "config.max_listeners=100")
    config = helm.render(ALL_PODS, *given).config
    file = tmp_path / "config.yaml"
    file.write_text(config)
    assert main(["check-config", str(file)]) == 0
    read = yaml.safe_load(config)
    assert (read["rules"][0]["name"], read["max_listeners"]) == ("edge", 100)
    assert read["namespaces"]["enabled"] is True


def test_a_changed_configuration_is_a_rollout(helm: Helm) -> None:
    found = {
        helm.render(*settings).pod_metadata["annotations"]["checksum/config"]
        for settings in ((), ("config.max_listeners=100",), (ALL_PODS,))
    }
    assert len(found) == 3


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("port=http", "at '/port': got string, want integer"),
        ("port=70000", "at '/port': maximum: got 70,000, want 65,535"),
        ("allPod.enabled=true", "additional properties 'allPod' not allowed"),
        ("allPods.enabled=yes", "at '/allPods/enabled': got string, want boolean"),
        ("config.lables[0]=pod", "at '/config': additional properties 'lables' not allowed"),
        (
            "config.sampling.source=procfs",
            "at '/config/sampling': additional properties 'source' not allowed",
        ),
        ("config.sampling.interval=50", "at '/config/sampling/interval': got number, want string"),
        ("config.labels[0]=pods", "at '/config/labels/0': value must be one of 'process', 'unit'"),
        ("allPods.config.sample=1", "at '/allPods/config': additional properties 'sample' not allowed"),
        ("image.pullPolicy=Sometimes", "at '/image/pullPolicy': value must be one of"),
        ("podMonitor.interval=15", "at '/podMonitor/interval': got number, want string"),
        ("extraArgs[0]=show", "at '/extraArgs/0'"),
        ("maxUnavailable=many", "at '/maxUnavailable'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(helm: Helm, setting: str, line: str) -> None:
    assert line in helm.refusal(setting)


def test_a_chart_that_has_this_one_below_it_may_have_global_values(helm: Helm) -> None:
    assert helm.render("global.registry=registry.example.com").kinds


def test_the_schema_of_the_configuration_is_made_from_its_declarations() -> None:
    assert chart_schema.PATH.read_text() == chart_schema.written(), "run `make reference`"


def test_the_schema_knows_the_values_that_there_are() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    # Helm hands these to every chart.
    assert schema["properties"].keys() - {"global"} == values.keys()


def test_the_notes_say_how_to_go_on(helm: Helm) -> None:
    done = helm.output("install", "it", str(CHART), "--dry-run=client", "--namespace", "mon")
    assert "http://NODE:10511/metrics" in done
    assert "--set allPods.enabled=true" in done
    assert "kubectl label namespace mon pod-security.kubernetes.io/enforce=privileged" in done
    assert "rollout status daemonset/it-listen-queue-exporter" in done


def test_a_packed_chart_has_all_that_it_needs(helm: Helm, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / CHART.name
    shutil.copytree(CHART, copy)
    helm.output("package", str(copy), "--destination", str(tmp_path))
    (packed,) = tmp_path.glob("*.tgz")
    assert helm.render(*OPERATOR, chart=packed) == helm.render(*OPERATOR)
