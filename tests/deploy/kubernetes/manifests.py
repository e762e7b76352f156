"""Manifests as the API server would receive them, and their validation without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml
from kubernetes_validate import utils

from testbed import programs
from tests.deploy.kubernetes import custom_resources

ROOT = Path(__file__).resolve().parents[3]
KUBERNETES = ROOT / "deploy" / "kubernetes"

Document = dict[str, Any]


def versions(oldest: str = "0") -> list[str]:
    """Three versions of Kubernetes with schemas, from `oldest` on: the first, the middle one, the last."""
    found = [version for version in utils.all_versions() if utils.Version(version) >= utils.Version(oldest)]
    names = [utils.major_minor(version) for version in found]
    unique = sorted(set(names), key=utils.Version)
    return [unique[0], unique[len(unique) // 2], unique[-1]]


def kustomize(folder: str | Path) -> Manifests:
    """The manifests that `kubectl apply -k` would send for a folder of deploy/kubernetes."""
    return Manifests.parse(programs.output("kubectl", "kustomize", str(KUBERNETES / folder)))


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod that a DaemonSet makes, with its one container."""

    spec: Document

    @property
    def container(self) -> Document:
        """The exporter's container."""
        (container,) = self.spec["containers"]
        return dict(container)

    @property
    def args(self) -> list[str]:
        """The arguments of the exporter."""
        return list(self.container["args"])

    @property
    def security(self) -> Document:
        """The effective security context: that of the container over that of the pod."""
        return {**self.spec.get("securityContext", {}), **self.container.get("securityContext", {})}

    @property
    def capabilities(self) -> set[str]:
        """The capabilities that are added after ALL are dropped."""
        assert self.security["capabilities"]["drop"] == ["ALL"]
        return set(self.security["capabilities"].get("add", []))

    @property
    def mounts(self) -> dict[str, tuple[Document, Document]]:
        """Volume and mount by mount path."""
        volumes = {volume["name"]: volume for volume in self.spec["volumes"]}
        return {
            mount["mountPath"]: (volumes[mount["name"]], mount) for mount in self.container["volumeMounts"]
        }

    @property
    def host_paths(self) -> dict[str, str]:
        """Path on the node by mount path."""
        return {
            place: volume["hostPath"]["path"]
            for place, (volume, _) in self.mounts.items()
            if "hostPath" in volume
        }

    @property
    def port(self) -> int:
        """The port of the exporter."""
        (port,) = self.container["ports"]
        assert port["name"] == "metrics"
        return int(port["containerPort"])


@dataclass(frozen=True, slots=True)
class Manifests:
    """The documents of a stream of YAML."""

    documents: Sequence[Document]

    @classmethod
    def parse(cls, text: str) -> Manifests:
        """Read a stream of YAML documents."""
        return cls([document for document in yaml.safe_load_all(text) if document])

    @property
    def kinds(self) -> list[str]:
        """The kinds, sorted."""
        return sorted(document["kind"] for document in self.documents)

    def one(self, kind: str) -> Document:
        """The one document of a kind; fails the test where there is not exactly one."""
        found = [document for document in self.documents if document["kind"] == kind]
        if len(found) != 1:
            pytest.fail(f"{len(found)} documents of kind {kind} among {self.kinds}")
        return found[0]

    @property
    def pod(self) -> Pod:
        """The pod that the DaemonSet makes."""
        return Pod(self.one("DaemonSet")["spec"]["template"]["spec"])

    @property
    def pod_metadata(self) -> Document:
        """Labels and annotations of that pod."""
        return dict(self.one("DaemonSet")["spec"]["template"]["metadata"])

    @property
    def config(self) -> str:
        """The text of the exporter's configuration."""
        (text,) = self.one("ConfigMap")["data"].values()
        return str(text)

    def validate(self, version: str) -> None:
        """Fail the test where a document has an unknown field or a value of the wrong type."""
        for document in self.documents:
            validate(document, version)


def validate(document: Mapping[str, Any], version: str) -> None:
    """The same for one document."""
    schema = custom_resources.SCHEMAS.get(document["kind"])
    if schema is not None:
        custom_resources.check(document)
        return
    try:
        kubernetes_validate.validate(dict(document), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        place = ".".join(str(part) for part in error.path)
        pytest.fail(f"{document['kind']}: Kubernetes {version}: {place}: {error.message}")
