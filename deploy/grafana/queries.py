"""Parts of PromQL expressions. Every selector matches the selected clusters, jobs and instances."""

from __future__ import annotations

from typing import Final

# The labels that identify a listener, on which its series are matched.
LISTENER: Final = "cluster, job, instance, netns, protocol, address, port, process"
# Those that `labels` in the configuration adds to them. Two listeners may differ in these alone, as the
# same path in two containers. Where a target has labels of these names, Prometheus renames the listener's.
OWNER_LABELS: Final = (
    *("unit", "container", "pod", "namespace", "user"),
    *("exported_container", "exported_pod", "exported_namespace"),
)
# The labels of an exporter, of a namespace and of a listener in a table.
EXPORTER_LABELS: Final = "cluster, job, instance"
NETNS_LABELS: Final = f"{EXPORTER_LABELS}, netns"
TABLE_LABELS: Final = f"{NETNS_LABELS}, process, protocol, address, port, {', '.join(OWNER_LABELS)}"

# An exporter, a namespace and a listener in legends, the last after `with_listener_name`. Two containers may
# both have nginx at 0.0.0.0:80. Where there is no label `cluster`, graphs have nothing in its place.
EXPORTER_LEGEND: Final = "{{instance}} {{cluster}}"
NETNS_LEGEND: Final = f"{{{{netns}}}} · {EXPORTER_LEGEND}"
LEGEND: Final = f"{{{{process}}}} {{{{listener}}}} · {NETNS_LEGEND}"

_EXPORTERS: Final = 'cluster=~"$cluster", job=~"$job", instance=~"$instance"'
_NAMESPACES: Final = f'{_EXPORTERS}, netns=~"$netns"'
_LISTENERS: Final = f'{_NAMESPACES}, process=~"$process"'


def of_exporters(name: str, *matchers: str) -> str:
    """Select a metric of the exporter itself."""
    return _select(name, _EXPORTERS, *matchers)


def of_namespaces(name: str, *matchers: str) -> str:
    """Select a metric of network namespaces."""
    return _select(name, _NAMESPACES, *matchers)


def of_listeners(name: str, *matchers: str) -> str:
    """Select a metric of listeners, of the selected namespaces and processes."""
    return _select(name, _LISTENERS, *matchers)


def rate(counter: str) -> str:
    """The rate of a counter, over at least four scrapes."""
    return f"rate({counter}[$__rate_interval])"


def last_five_minutes(counter: str) -> str:
    """The increase of a counter in five minutes."""
    return f"increase({counter}[5m])"


def with_listener_name(vector: str) -> str:
    """Add the label `listener`: 0.0.0.0:80, [::]:80, /run/php.sock or @name.

    label_join makes 0.0.0.0:80, :::80 or, as unix sockets have no port, `/run/php.sock:` of address and port.
    The first label_replace adds the brackets of IPv6, the second removes the colon at the end.
    """
    joined = f'label_join({vector}, "listener", ":", "address", "port")'
    bracketed = f'label_replace({joined}, "listener", "[$1]:$2", "listener", "(.*:.*):([0-9]+)")'
    return f'label_replace({bracketed}, "listener", "$1", "listener", "(.+):")'


def selected(vector: str) -> str:
    """Keep the series of the listeners that are selected in the variable, with their names.

    A matcher cannot compare a computed label with a variable. So label_replace adds the label `selected`
    where the name matches, and `and on` keeps those series.
    """
    marked = f'label_replace({with_listener_name(vector)}, "selected", "yes", "listener", "$listener")'
    return f'{marked} and on (selected) label_replace(vector(1), "selected", "yes", "", "")'


def exporters_of_last_day(name: str) -> str:
    """Of a metric that every target has, such as `up`, the series of exporters of the last day."""
    build = of_exporters("listen_queue_exporter_build_info")
    return f"{of_exporters(name)} and on (cluster, job, instance) last_over_time({build}[1d])"


def exporters_only(expression: str) -> str:
    """Of a metric that every process has, such as its memory, the series of exporters."""
    return f"{expression} and on (cluster, job, instance) {of_exporters('listen_queue_exporter_build_info')}"


def threshold_ratio(severity: str) -> str:
    """The threshold of the accept queue of each listener, as a utilization ratio.

    The configuration has a share or a number of connections, by the rule that matches the listener.
    """
    # A listener whose sockets have several owners has a row for each of them.
    info = f"max by ({LISTENER}, rule) ({of_listeners('listen_queue_listener_info')})"
    wanted = ('queue="accept"', f'severity="{severity}"')
    share = of_exporters("listen_queue_threshold_ratio", *wanted)
    connections = of_exporters("listen_queue_threshold_connections", *wanted)
    # Each socket admits one connection more than its backlog. `info` has the labels of LISTENER only, so of
    # listeners that differ in their owner alone the largest capacity counts.
    sockets = f"{of_listeners('listen_queue_accept_limit')} + {of_listeners('listen_queue_sockets')}"
    capacity = f"max by ({LISTENER}) ({sockets})"
    rule = "on (cluster, job, instance, rule) group_left ()"
    return (
        f"{info} * {rule} {share} or on ({LISTENER}, rule) "
        f"{info} * {rule} {connections} / on ({LISTENER}) group_left () {capacity}"
    )


def owner() -> str:
    """A series for each listener; its label `owner` is pod and container, else the systemd unit, else `-`.

    Where a target has labels named container and pod, of the exporter itself, Prometheus renames those of the
    listener to exported_container and exported_pod; container_id tells whether the listener has a container.
    """
    info = "listen_queue_listener_info"
    unit = _own(of_listeners(info, 'container_id=""'), "unit", "(.+)")
    plain = of_listeners(info, 'container_id!=""', 'exported_container=""')
    exported = of_listeners(info, 'container_id!=""', 'exported_container!=""')
    joined = (
        f'label_join({plain}, "owner", "/", "pod", "container") or '
        f'label_join({exported}, "owner", "/", "exported_pod", "exported_container")'
    )
    return _own(f"{_own(joined, 'owner', '/(.+)')} or {unit}", "owner", "", to="-")


def _own(vector: str, label: str, pattern: str, to: str = "$1") -> str:
    return f'label_replace({vector}, "owner", "{to}", "{label}", "{pattern}")'


def _select(name: str, *matchers: str) -> str:
    return f"{name}{{{', '.join(matchers)}}}"
