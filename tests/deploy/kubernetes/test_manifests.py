"""The kustomize base and its overlay: valid for Kubernetes, few privileges, and a valid configuration."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kubernetes import rules
from exporter import __version__
from exporter.cli.main import main
from exporter.config import ConfigFile
from testbed import programs
from tests.deploy.kubernetes.manifests import KUBERNETES, Manifests, kustomize, validate, versions

BASE, ALL_PODS = "base", "all-pods"
# The first version with appArmorProfile.
OLDEST_OF_ALL_PODS = "1.30"


@pytest.fixture(params=[BASE, ALL_PODS])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    """The base and the overlay."""
    return kustomize(str(request.param))


@pytest.mark.parametrize(
    ("folder", "version"),
    [(BASE, version) for version in versions()]
    + [(ALL_PODS, version) for version in versions(OLDEST_OF_ALL_PODS)],
)
def test_kubernetes_knows_every_field(folder: str, version: str) -> None:
    kustomize(folder).validate(version)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("DaemonSet", "spec.template.spec.hostNetwrk"),
        ("DaemonSet", "spec.template.spec.containers.0.port"),
        ("PodMonitor", "spec.podMetricsEndpoints.0.relabelings.0.target_label"),
        ("PrometheusRule", "spec.groups.0.rules.0.alerts"),
    ],
)
def test_an_unknown_field_fails_the_validation(kind: str, path: str) -> None:
    """So the test above can fail."""
    document = kustomize(BASE).one(kind)
    inner: Any = document
    *above, last = path.split(".")
    for part in above:
        inner = inner[int(part) if part.isdigit() else part]
    inner[last] = True
    with pytest.raises(pytest.fail.Exception, match=kind):
        validate(document, versions()[-1])


def test_the_base_has_no_privilege() -> None:
    pod = kustomize(BASE).pod
    assert pod.capabilities == set()
    assert pod.security == {
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "runAsGroup": 65534,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod.spec["hostNetwork"] is True
    assert not {"hostPID", "hostIPC", "initContainers"} & pod.spec.keys()


def test_all_pods_has_the_capabilities_it_needs_the_processes_of_the_node_and_no_more() -> None:
    pod = kustomize(ALL_PODS).pod
    assert pod.capabilities == {"SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH", "SETUID", "SETGID"}
    # With CAP_SYS_ADMIN `allowPrivilegeEscalation: false` is an error.
    assert "allowPrivilegeEscalation" not in pod.security
    assert "privileged" not in pod.security
    assert pod.security["readOnlyRootFilesystem"] is True
    assert pod.security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (pod.security["runAsUser"], pod.security["runAsNonRoot"]) == (0, False)
    base = kustomize(BASE).pod
    own = {"hostPID", "securityContext", "containers", "volumes"}
    assert {key: value for key, value in pod.spec.items() if key not in own} == {
        key: value for key, value in base.spec.items() if key not in own
    }
    assert pod.spec["hostPID"] is True
    assert pod.host_paths == base.host_paths


def test_folders_of_the_node_are_mounted_read_only_and_no_log_is(manifests: Manifests) -> None:
    pod = manifests.pod
    assert all(mount["readOnly"] for _, mount in pod.mounts.values())
    # The last has links to the logs, which are in /var/log/pods.
    assert set(pod.host_paths.values()) == {"/sys/fs/cgroup", "/var/log/containers"}


def test_the_pod_has_no_access_to_the_api_server(manifests: Manifests) -> None:
    account = manifests.one("ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert manifests.pod.spec["automountServiceAccountToken"] is False
    assert manifests.pod.spec["serviceAccountName"] == account["metadata"]["name"]
    assert not [kind for kind in manifests.kinds if "Role" in kind]


def test_it_runs_on_every_node(manifests: Manifests) -> None:
    assert manifests.pod.spec["tolerations"] == [{"operator": "Exists"}]
    assert manifests.pod.spec["nodeSelector"] == {"kubernetes.io/os": "linux"}


def test_the_namespace_admits_the_pod(manifests: Manifests) -> None:
    """Pod security admission allows hostNetwork and hostPath at the level `privileged` only."""
    namespace = manifests.one("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    name = namespace["metadata"]["name"]
    assert {
        document["metadata"]["namespace"] for document in manifests.documents if document != namespace
    } == {name}


def test_selectors_match_the_pod_and_its_port(manifests: Manifests) -> None:
    labels = manifests.pod_metadata["labels"].items()
    monitor = manifests.one("PodMonitor")["spec"]
    for selector in (manifests.one("DaemonSet")["spec"]["selector"], monitor["selector"]):
        assert selector["matchLabels"].items() <= labels
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert [port["name"] for port in manifests.pod.container["ports"]] == [endpoint["port"]]


def test_the_image_is_that_of_this_version(manifests: Manifests) -> None:
    assert manifests.pod.container["image"] == f"listen-queue-exporter:{__version__}"


def test_the_configuration_is_valid(manifests: Manifests, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(manifests.config)
    assert main(["check-config", str(file)]) == 0


def test_the_cpu_request_is_above_the_budget(manifests: Manifests, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(manifests.config)
    requested = manifests.pod.container["resources"]["requests"]["cpu"]
    budget_ratio = ConfigFile(str(file)).load().sampling.cpu_budget_ratio
    assert int(requested.removesuffix("m")) / 1000 > budget_ratio


def test_a_changed_configuration_changes_the_pod(tmp_path: Path) -> None:
    """The DaemonSet names the ConfigMap, whose name depends on its content."""
    copy = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    config = copy / "all-pods" / "config.yaml"
    names = set()
    for text in (config.read_text(), "max_listeners: 100\n"):
        config.write_text(text)
        rendered = Manifests.parse(programs.output("kubectl", "kustomize", str(config.parent)))
        assert rendered.config == text
        volume, _ = rendered.pod.mounts["/etc/listen-queue-exporter"]
        assert volume["configMap"]["name"] == rendered.one("ConfigMap")["metadata"]["name"]
        names.add(volume["configMap"]["name"])
    assert len(names) == 2


def test_the_configuration_is_mounted_where_the_flag_names_it(manifests: Manifests) -> None:
    (flag,) = [arg for arg in manifests.pod.args if arg.startswith("--config.file=")]
    folder, _, file = flag.removeprefix("--config.file=").rpartition("/")
    _, mount = manifests.pod.mounts[folder]
    # A mount of a subPath is never updated.
    assert "subPath" not in mount
    assert list(manifests.one("ConfigMap")["data"]) == [file]


def test_the_generated_files_have_the_rules_of_prometheus() -> None:
    """`python -m deploy.kubernetes.rules` writes them."""
    for path, text in rules.written().items():
        assert path.read_text() == text, (
            f"run `python -m deploy.kubernetes.rules`: {path.name} is not up to date"
        )


def test_every_rule_is_rendered_unchanged(manifests: Manifests, tmp_path: Path) -> None:
    rendered = manifests.one("PrometheusRule")["spec"]
    assert rendered["groups"] == rules.groups()
    names = {rule.get("alert") for group in rendered["groups"] for rule in group["rules"]}
    assert {"ListenQueueFull", "ListenQueueExporterDown"} <= names
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(rendered))
    assert "SUCCESS" in programs.output("promtool", "check", "rules", str(file))
