"""The cgroup that a process is in, from the lines of /proc/<pid>/cgroup.

Source: cgroups(7). Each line is `hierarchy:controllers:path`; that of version 2 is `0::path`.
"""

from __future__ import annotations

from typing import Final

from exporter.owners.cgroup_location import CgroupLocation, parse_cgroup_path

# Where several lines name equally much, the first of these counts: version 2 (which has no controllers),
# systemd's own hierarchy, then the controllers of version 1 that every container runtime uses.
_ORDER: Final = (b"", b"name=systemd", b"pids", b"memory", b"devices", b"freezer", b"cpu", b"cpuacct")
# Appended once the cgroup was removed (proc_cgroup_show, kernel/cgroup/cgroup.c).
_REMOVED = b" (deleted)"


def parse_cgroup_membership(content: bytes) -> CgroupLocation:
    """Return the location that the most informative line gives; one without a path where there is no line.

    Where versions 1 and 2 are both mounted, a container may have a cgroup of its own in version 1 alone,
    and be in the cgroup of its runtime in version 2.
    """
    lines = sorted(_lines(content), key=lambda line: line[0])
    locations = [parse_cgroup_path(path) for _, path in lines]
    return max(locations, key=_informativeness, default=CgroupLocation())


def _lines(content: bytes) -> list[tuple[int, bytes]]:
    """Return for each valid line its place in _ORDER, and its path."""
    lines = []
    for line in content.split(b"\n"):
        fields = line.split(b":", 2)
        if len(fields) == 3 and fields[2].startswith(b"/"):  # noqa: PLR2004 (hierarchy, controllers, path)
            lines.append((_order(fields[1]), fields[2].removesuffix(_REMOVED)))
    return lines


def _order(controllers: bytes) -> int:
    known = [_ORDER.index(name) for name in controllers.split(b",") if name in _ORDER]
    return min(known, default=len(_ORDER))


def _informativeness(location: CgroupLocation) -> tuple[bool, ...]:
    contained = bool(location.container_id or location.container or location.pod_uid)
    return contained, bool(location.unit), bool(location.task), location.path != "/"
