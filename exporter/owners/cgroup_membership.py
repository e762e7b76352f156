"""Which cgroup a process is in, from the lines of its /proc/<pid>/cgroup.

Source: cgroups(7). Each line is `hierarchy:controllers:path`; that of version 2 is `0::path`.
"""

from __future__ import annotations

from typing import Final

from exporter.owners.cgroup_location import CgroupLocation, parse

# Which of several lines that tell the same speaks: version 2 (which names no controller), systemd's
# own hierarchy, and then those of version 1 that container runtimes are sure to use.
_ORDER: Final = (b"", b"name=systemd", b"pids", b"memory", b"devices", b"freezer", b"cpu", b"cpuacct")
# Added once the cgroup was removed (proc_cgroup_show, kernel/cgroup/cgroup.c).
_GONE = b" (deleted)"


def place_of(content: bytes) -> CgroupLocation:
    """Return what the line that tells most says; a Place without a path where there is no line.

    Where versions 1 and 2 are used side by side, a container may have moved in version 1 alone and
    stand in version 2 where its runtime does.
    """
    lines = sorted(_fields(content), key=lambda line: line[0])
    places = [parse(path) for _, path in lines]
    return max(places, key=_tells, default=CgroupLocation())


def _fields(content: bytes) -> list[tuple[int, bytes]]:
    found = []
    for line in content.split(b"\n"):
        fields = line.split(b":", 2)
        if len(fields) == 3 and fields[2].startswith(b"/"):  # noqa: PLR2004 (hierarchy, controllers, path)
            found.append((_rank(fields[1]), fields[2].removesuffix(_GONE)))
    return found


def _rank(controllers: bytes) -> int:
    known = [_ORDER.index(name) for name in controllers.split(b",") if name in _ORDER]
    return min(known, default=len(_ORDER))


def _tells(place: CgroupLocation) -> tuple[bool, bool, bool]:
    contained = bool(place.container_id or place.container or place.pod_uid)
    return contained, bool(place.unit), place.path != "/"
