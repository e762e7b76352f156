"""Values of the chart by which it fits into a cluster: addresses, policies, and what pods have there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testbed.daemon import Daemon
from tests.deploy.kubernetes.chart import CHART, Helm
from tests.deploy.kubernetes.manifests import Pod, kustomize, versions
from tests.integration.metric_values import figure, until_figure

ALL_PODS = "allPods.enabled=true"
CONSTRAINTS = "securityContextConstraints.enabled=true"
SPC = "seLinuxOptions.type=spc_t"
# NAMED is what the documents name.
OLDEST, NAMED = "1.30", "1.36"
# Every value of this file at once.
EVERYTHING = (
    ALL_PODS,
    CONSTRAINTS,
    SPC,
    "listenAddress=nodeIP",
    "onConfigChange=reload",
    "env[0].name=TZ",
    "env[0].value=UTC",
    "extraVolumes[0].name=pki",
    "extraVolumes[0].secret.secretName=pki",
    "extraVolumeMounts[0].name=pki",
    "extraVolumeMounts[0].mountPath=/pki",
    "podSecurityContext.supplementalGroups[0]=7",
    "securityContext.procMount=Default",
    "imagePullSecrets[0].name=registry-password",
)


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    """Helm with its files in a folder of the test."""
    return Helm(tmp_path / "helm")


@pytest.mark.parametrize("version", sorted({*versions(OLDEST), NAMED}))
def test_kubernetes_knows_every_field(helm: Helm, version: str) -> None:
    helm.render(*EVERYTHING).validate(version)


@pytest.mark.parametrize("folder", ["base", "all-pods", "openshift"])
def test_kubernetes_knows_every_field_of_kustomize(folder: str) -> None:
    kustomize(folder).validate(NAMED)


def test_helm_lint_passes(helm: Helm) -> None:
    flags = [flag for setting in EVERYTHING for flag in ("--set", setting)]
    assert "0 chart(s) failed" in helm.output("lint", "--strict", str(CHART), *flags)


def address(pod: Pod) -> str:
    """The one address at which the exporter is told to listen."""
    (given,) = [arg for arg in pod.args if arg.startswith("--web.listen-address=")]
    return given.partition("=")[2]


def probed(pod: Pod) -> set[str | None]:
    """The addresses that the kubelet asks; None is that of the pod."""
    probes = [pod.container[f"{kind}Probe"] for kind in ("liveness", "readiness")]
    return {(each.get("httpGet") or each["tcpSocket"]).get("host") for each in probes}


@pytest.mark.parametrize(
    ("given", "listens", "asked"),
    [
        ("", ":10511", None),
        ("10.0.0.1", "10.0.0.1:10511", "10.0.0.1"),
        ("[::1]", "[::1]:10511", "::1"),
        ("nodeIP", "$(NODE_IP):10511", None),
        ("nodeIPv6", "[$(NODE_IP)]:10511", None),
    ],
)
@pytest.mark.parametrize("probes", ["HTTP", "TCP"])
def test_one_address_is_listened_at_and_asked(
    helm: Helm, given: str, listens: str, asked: str | None, probes: str
) -> None:
    pod = helm.render(f"listenAddress={given}", f"webConfig.probes={probes}").pod
    assert address(pod) == listens
    assert probed(pod) == {asked}
    node = [each["name"] for each in pod.container.get("env", [])]
    assert node == (["NODE_IP"] if given.startswith("nodeIP") else [])


@pytest.mark.netns
def test_at_one_address_the_exporter_listens_at_no_other(helm: Helm) -> None:
    pod = helm.render("listenAddress=nodeIP").pod
    (variable,) = pod.container["env"]
    assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "status.hostIP"}}
    # What the kubelet puts into an argument.
    flag = f"--web.listen-address={address(pod).replace('$(NODE_IP)', '127.0.0.2')}"
    with Daemon(flag, config="namespaces: {enabled: false}\n", port=pod.port + 1) as daemon:
        daemon.wait_ready()
        until_figure(daemon, 1, "sockets", address="127.0.0.2", port=str(pod.port))
        for other in ("0.0.0.0", "::", "127.0.0.1"):
            assert figure(daemon, "sockets", address=other, port=str(pod.port)) is None


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("listenAddress=node", "at '/listenAddress'"),
        ("listenAddress=10.0.0.1:80", "at '/listenAddress'"),
        ("listenAddress=fd00::1", "at '/listenAddress'"),
        ("onConfigChange=signal", "at '/onConfigChange': value must be one of 'restart', 'reload'"),
        ("env[0].value=x", "at '/env/0': missing property 'name'"),
        ("extraVolumeMounts[0].name=x", "at '/extraVolumeMounts/0': missing property 'mountPath'"),
        ("seLinuxOptions.kind=spc_t", "at '/seLinuxOptions': additional properties 'kind' not allowed"),
    ],
)
def test_the_error_about_a_wrong_value_names_its_path(helm: Helm, setting: str, line: str) -> None:
    assert line in helm.error(setting)


def test_security_contexts_are_merged_over_those_of_the_chart(helm: Helm) -> None:
    pod = helm.render(ALL_PODS, SPC, "podSecurityContext.runAsGroup=5", "securityContext.privileged=true").pod
    assert pod.spec["securityContext"] == {
        "runAsNonRoot": False,
        "runAsUser": 0,
        "runAsGroup": 5,
        "seccompProfile": {"type": "RuntimeDefault"},
        "seLinuxOptions": {"type": "spc_t"},
    }
    assert pod.container["securityContext"]["privileged"] is True
    assert "SYS_ADMIN" in pod.capabilities
    assert helm.render().pod.container["securityContext"].get("privileged") is None


def test_variables_and_volumes_are_added(helm: Helm) -> None:
    pod = helm.render(*EVERYTHING).pod
    assert {"name": "TZ", "value": "UTC"} in pod.container["env"]
    volume, _ = pod.mounts["/pki"]
    assert volume == {"name": "pki", "secret": {"secretName": "pki"}}
    assert pod.spec["imagePullSecrets"] == [{"name": "registry-password"}]


def test_a_configuration_is_reloaded_or_the_pods_are_replaced(helm: Helm) -> None:
    """Not both: a pod that is replaced would have nothing left to reload."""
    flag = "--config.auto-reload-interval=10s"
    changed = "config.max_listeners=100"
    restarted = helm.render()
    assert flag not in restarted.pod.args
    assert helm.render(changed).pod_metadata != restarted.pod_metadata
    reloaded = helm.render("onConfigChange=reload")
    assert flag in reloaded.pod.args
    assert helm.render("onConfigChange=reload", changed).pod_metadata == reloaded.pod_metadata


def constraints(document: dict[str, Any]) -> dict[str, Any]:
    """What the constraints allow."""
    return {key: value for key, value in document.items() if key != "metadata"}


def test_the_constraints_of_openshift_are_those_of_kustomize(helm: Helm) -> None:
    chart = helm.render(ALL_PODS, CONSTRAINTS, SPC)
    folder = kustomize("openshift")
    ours, theirs = (each.one("SecurityContextConstraints") for each in (chart, folder))
    assert constraints(ours) == constraints(theirs)
    assert ours["metadata"]["name"] == theirs["metadata"]["name"]
    assert "namespace" not in ours["metadata"].keys() | theirs["metadata"].keys()
    assert chart.pod.spec["securityContext"] == folder.pod.spec["securityContext"]
    without = kustomize("all-pods")
    assert folder.pod.container == without.pod.container


@pytest.mark.parametrize(
    "settings",
    [
        (),
        (ALL_PODS, SPC),
        ("podSecurityContext.runAsUser=1234",),
        ("extraVolumes[0].name=a", "extraVolumes[0].csi.driver=secrets.example.com"),
        ("securityContext.readOnlyRootFilesystem=false",),
        ("securityContext.seccompProfile.type=Unconfined",),
        (
            "podSecurityContext.seccompProfile.type=Localhost",
            "podSecurityContext.seccompProfile.localhostProfile=profiles/exporter.json",
        ),
    ],
)
def test_the_constraints_allow_what_the_pod_asks_for_and_no_more(
    helm: Helm, settings: tuple[str, ...]
) -> None:
    rendered = helm.render(CONSTRAINTS, *settings)
    allowed, pod = rendered.one("SecurityContextConstraints"), rendered.pod
    assert set(allowed["allowedCapabilities"]) == pod.capabilities
    assert allowed["allowHostPID"] is pod.spec.get("hostPID", False)
    assert allowed["allowHostNetwork"] is pod.spec["hostNetwork"]
    assert allowed["allowPrivilegeEscalation"] is pod.security.get("allowPrivilegeEscalation", True)
    assert allowed["runAsUser"] == {"type": "MustRunAs", "uid": pod.security["runAsUser"]}
    given = pod.security.get("seLinuxOptions")
    expected = {"type": "MustRunAs", "seLinuxOptions": given} if given else {"type": "RunAsAny"}
    assert allowed["seLinuxContext"] == expected
    kinds = {kind for volume in pod.spec["volumes"] for kind in volume.keys() - {"name"}}
    always = {"configMap", "emptyDir", "hostPath", "projected", "secret"}
    assert set(allowed["volumes"]) == kinds | always
    assert allowed["readOnlyRootFilesystem"] is pod.container["securityContext"]["readOnlyRootFilesystem"]
    contexts = (pod.spec["securityContext"], pod.container["securityContext"])
    profiles = [context["seccompProfile"] for context in contexts if "seccompProfile" in context]
    assert allowed["seccompProfiles"] == list(dict.fromkeys(map(_of_openshift, profiles)))
    account = rendered.one("ServiceAccount")["metadata"]
    assert allowed["users"] == [f"system:serviceaccount:{account['namespace']}:{account['name']}"]


def _of_openshift(profile: dict[str, str]) -> str:
    """How constraints call a seccomp profile."""
    if profile["type"] == "Localhost":
        return f"localhost/{profile['localhostProfile']}"
    return {"RuntimeDefault": "runtime/default", "Unconfined": "unconfined"}[profile["type"]]


def test_there_are_no_constraints_unless_they_are_wanted(helm: Helm) -> None:
    assert "SecurityContextConstraints" not in helm.render(ALL_PODS).kinds
