"""What a sampler could not read, and what it takes to read it."""

from __future__ import annotations

from typing import Final

from exporter.doctor.host_view import Unseen
from exporter.kernel.family import FAMILIES, SocketFamily
from exporter.kernel.netns.host_label import HOST
from exporter.kernel.records import Method
from exporter.sampling.namespace_sampler import NamespaceSampler
from exporter.sampling.sampler import Sampler
from exporter.sampling.sources.owners import Owners

_ROOT: Final = "run it as root, or with "
# What helps, by the reason of the error of the source `owners` (exporter/owners/visibility.py).
_OWNERS_NEED: Final = {
    "capabilities": _ROOT + "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
    "hidepid": _ROOT + "a mount of /proc without the option hidepid",
    "pid_namespace": "run it in the PID namespace of the host (docker run --pid=host, hostPID: true)",
}
_SOCK_DIAG: Final = (
    "sock_diag, which a seccomp filter or RestrictAddressFamilies= may forbid (AF_NETLINK), and a kernel "
    "without inet_diag, tcp_diag or unix_diag lacks"
)


def unseen(sampler: Sampler) -> tuple[Unseen, ...]:
    """Return what was not seen when the sampler ran last. The caller holds its lock, where others run it."""
    return (*_other_namespaces(sampler), *_owners(sampler), *_failed(sampler), *_methods(sampler))


def _other_namespaces(sampler: Sampler) -> list[Unseen]:
    discovery = sampler.namespace_scheduler.discovery
    runner = sampler.namespace_scheduler.discovery_runner
    if discovery.method == "own":
        return [Unseen("other network namespaces (containers)", _ROOT + "CAP_SYS_ADMIN and CAP_SYS_PTRACE")]
    if not discovery.wanted:
        needs = "the configuration leaves them out: namespaces.enabled"
        return [Unseen("other network namespaces", needs, configured=True)]
    found = []
    if runner.error is not None:
        found.append(Unseen(f"other network namespaces ({runner.error})", _ROOT + "all capabilities"))
    left_out = len(discovery.found) - len(discovery.chosen)
    if left_out:
        needs = "the configuration leaves them out: namespaces.include, exclude or max"
        plural = "s" if left_out > 1 else ""
        found.append(Unseen(f"{left_out} other network namespace{plural}", needs, configured=True))
    return found


def _owners(sampler: Sampler) -> list[Unseen]:
    missing = sampler.owners.sockets_without_owner
    error = next((each.error for each in sampler.runners if each.name == Owners.NAME and each.error), None)
    if not missing or error is None:
        return []
    needs = _OWNERS_NEED.get(error.reason, str(error))
    return [Unseen(f"the processes of {missing} listening socket{'' if missing == 1 else 's'}", needs)]


def _failed(sampler: Sampler) -> list[Unseen]:
    """Return what sources of namespaces could not read; all of one that cannot be entered fail alike."""
    failed: dict[tuple[str, str], list[str]] = {}
    for namespace in sampler.namespaces:
        for runner in namespace.runners:
            if runner.error is not None:
                what = failed.setdefault((runner.netns, str(runner.error)), [])
                what.append(runner.asks_for)
    return [
        Unseen(f"{', '.join(what)}{'' if netns == HOST else f' of network namespace {netns}'}", error)
        for (netns, error), what in failed.items()
    ]


def _methods(sampler: Sampler) -> list[Unseen]:
    """Return what /proc/net does not have, of namespaces where the kernel answers nothing else."""
    return [
        Unseen(f"{_lacking(family, namespace)} of network namespace {namespace.name}", _SOCK_DIAG)
        for namespace in sampler.namespaces
        for family in FAMILIES
        if any(
            runner.method == Method.PROCFS and runner.name == family.source and runner.error is None
            for runner in namespace.runners
        )
    ]


def _lacking(family: SocketFamily, namespace: NamespaceSampler) -> str:
    groups = [
        each for each in namespace.table.states if each.members and each.key.protocol == family.protocol
    ]
    if any(group.length is None for group in groups):
        return f"lengths, backlogs and drops of {family.listeners}"
    return f"backlogs and drops of {family.listeners}"
