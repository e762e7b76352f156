"""Looking names up in files of a test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.runtimes.documents import DocumentReader
from exporter.owners.runtimes.lookup import look_up
from exporter.owners.runtimes.names import ContainerNames
from exporter.owners.runtimes.roots import DEFAULT_ROOTS, RuntimeRoots
from tests.owners.fake_host import FakeFiles
from tests.owners.runtime_file_paths import CONTAINER_ID, OTHER_ID


def location(runtime: str = "", pod_uid: str = "", *, path: str = "", nested: bool = False) -> CgroupLocation:
    """Return where the container of tests runs."""
    inside = f"{OTHER_ID}/docker/{CONTAINER_ID}" if nested else CONTAINER_ID
    path = path or f"/kubepods/pod{pod_uid}/{inside}"
    return CgroupLocation(
        path=path, runtime=runtime, container_id=CONTAINER_ID, pod_uid=pod_uid, nested=nested
    )


def files_of(documents: Mapping[str, Any]) -> FakeFiles:
    """Return a host with these documents of JSON; bytes and errors stay as they are."""
    return FakeFiles(
        {
            path: each if isinstance(each, bytes | OSError) else json.dumps(each).encode()
            for path, each in documents.items()
        }
    )


def names_in(
    files: FakeFiles | Mapping[str, Any], where: CgroupLocation, roots: RuntimeRoots = DEFAULT_ROOTS
) -> ContainerNames:
    """Return the names that are found in these files."""
    disk = files if isinstance(files, FakeFiles) else files_of(files)
    return look_up(DocumentReader(disk), roots, where)
