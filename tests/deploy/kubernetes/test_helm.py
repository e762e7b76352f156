"""The Helm chart: it renders what the kustomize folders do, and wrong values are errors."""

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
    """Helm with its files in a folder of the test."""
    return Helm(tmp_path / "helm")


@pytest.mark.parametrize("settings", [(), (ALL_PODS, *OPERATOR)], ids=["default", "everything"])
def test_helm_lint_passes(helm: Helm, settings: tuple[str, ...]) -> None:
    flags = [flag for setting in settings for flag in ("--set", setting)]
    assert "0 chart(s) failed" in helm.output("lint", "--strict", str(CHART), *flags)


@pytest.mark.parametrize("version", versions(OLDEST))
@pytest.mark.parametrize("setting", ["allPods.enabled=false", ALL_PODS])
def test_kubernetes_knows_every_field(helm: Helm, setting: str, version: str) -> None:
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
    """The pod without the name of its ConfigMap, which depends on the content, and with sorted mounts."""
    found = copy.deepcopy(pod.spec)
    for volume in found["volumes"]:
        volume.get("configMap", {}).pop("name", None)
    # The default of Kubernetes for an image with a version.
    found["containers"][0].setdefault("imagePullPolicy", "IfNotPresent")
    found["containers"][0]["volumeMounts"].sort(key=lambda mount: mount["name"])
    return found


def test_the_names_of_the_resources_follow_the_release(helm: Helm) -> None:
    rendered = helm.render(release="other")
    volume, _ = rendered.pod.mounts["/etc/listen-queue-exporter"]
    assert volume["configMap"]["name"] == rendered.one("ConfigMap")["metadata"]["name"]
    assert rendered.pod.spec["serviceAccountName"] == rendered.one("ServiceAccount")["metadata"]["name"]
    names = {document["metadata"]["name"] for document in rendered.documents}
    assert names == {"other-listen-queue-exporter"}


def test_a_cluster_that_is_too_old_is_an_error(helm: Helm) -> None:
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


def test_selectors_match_the_pod(helm: Helm) -> None:
    rendered = helm.render(*OPERATOR, "podLabels.team=edge")
    labels = rendered.pod_metadata["labels"]
    for kind in ("DaemonSet", "PodMonitor"):
        selector = rendered.one(kind)["spec"]["selector"]["matchLabels"]
        assert selector.items() <= labels.items()
    assert labels["team"] == "edge"


def test_every_rule_is_rendered_unchanged(helm: Helm) -> None:
    """In a template of Helm the templates in the annotations would be expanded."""
    rendered = helm.render(*OPERATOR).one("PrometheusRule")["spec"]
    assert rendered == {"groups": rules.groups()}
    assert "{{ $labels.instance }}" in json.dumps(rendered)


def test_resources_of_prometheus_operator_are_off_by_default(helm: Helm) -> None:
    assert helm.render().kinds == ["ConfigMap", "DaemonSet", "ServiceAccount"]
    assert helm.render(*OPERATOR).kinds == [
        "ConfigMap",
        "DaemonSet",
        "PodMonitor",
        "PrometheusRule",
        "ServiceAccount",
    ]


def test_labels_by_which_prometheus_selects_can_be_set(helm: Helm) -> None:
    given = [f"{key}.labels.release=stack" for key in ("podMonitor", "prometheusRule")]
    rendered = helm.render(*OPERATOR, *given)
    for kind in ("PodMonitor", "PrometheusRule"):
        assert rendered.one(kind)["metadata"]["labels"]["release"] == "stack"


def test_the_version_of_the_image_is_that_of_the_exporter(helm: Helm) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    assert helm.render().pod.container["image"] == f"listen-queue-exporter:{__version__}"
    image = helm.render("image.repository=registry.example.com/lqe", "image.tag=next").pod.container["image"]
    assert image == "registry.example.com/lqe:next"


def test_the_port_can_be_set(helm: Helm) -> None:
    pod = helm.render("port=10600").pod
    assert pod.port == 10600
    assert "--web.listen-address=:10600" in pod.args


def test_the_configuration_of_all_pods_keeps_the_rules(helm: Helm, tmp_path: Path) -> None:
    given = ("config.rules[0].name=edge", "config.rules[0].match.port=80", "config.max_listeners=100")
    config = helm.render(ALL_PODS, *given).config
    file = tmp_path / "config.yaml"
    file.write_text(config)
    assert main(["check-config", str(file)]) == 0
    read = yaml.safe_load(config)
    assert (read["rules"][0]["name"], read["max_listeners"]) == ("edge", 100)
    assert read["namespaces"]["enabled"] is True


def test_a_changed_configuration_changes_the_pod(helm: Helm) -> None:
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
def test_the_error_about_a_wrong_value_names_its_path(helm: Helm, setting: str, line: str) -> None:
    assert line in helm.error(setting)


@pytest.mark.parametrize("name", ["config", "allPods.config", "webConfig", "listenAddress", "resources"])
def test_the_error_about_a_value_that_is_null_names_it(helm: Helm, name: str) -> None:
    """Helm takes it for one that is not there, also in the defaults."""
    assert f"missing property '{name.rpartition('.')[2]}'" in helm.error(f"{name}=null")


def test_global_values_of_a_parent_chart_are_accepted(helm: Helm) -> None:
    assert helm.render("global.registry=registry.example.com").kinds


def test_the_schema_of_the_configuration_is_made_from_its_declarations() -> None:
    assert chart_schema.PATH.read_text() == chart_schema.written(), "run `make reference`"


def test_the_schema_has_every_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    # Helm passes them to every chart.
    assert schema["properties"].keys() - {"global"} == values.keys()


def test_the_notes_have_the_next_commands(helm: Helm) -> None:
    done = helm.output("install", "it", str(CHART), "--dry-run=client", "--namespace", "mon")
    assert "http://NODE:10511/metrics" in done
    assert "--set allPods.enabled=true" in done
    assert "kubectl label namespace mon pod-security.kubernetes.io/enforce=privileged" in done
    assert "rollout status daemonset/it-listen-queue-exporter" in done


def test_a_packed_chart_renders_the_same(helm: Helm, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / CHART.name
    shutil.copytree(CHART, copy)
    helm.output("package", str(copy), "--destination", str(tmp_path))
    (packed,) = tmp_path.glob("*.tgz")
    assert helm.render(*OPERATOR, chart=packed) == helm.render(*OPERATOR)
