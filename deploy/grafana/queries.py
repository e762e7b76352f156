"""Pieces of PromQL that several panels use. Every selector asks for the chosen jobs and instances."""

from __future__ import annotations

from typing import Final

# What names one listener, and so what its series are matched on.
LISTENER: Final = "job, instance, netns, protocol, address, port"
# What names it to a reader; as the columns of a table.
SHOWN: Final = "instance, netns, process, protocol, address, port"

# The name of one listener in legends, after `named`. Two containers may both have nginx at 0.0.0.0:80.
LEGEND: Final = "{{process}} {{listener}} · {{netns}} · {{instance}}"

_EXPORTERS: Final = 'job=~"$job", instance=~"$instance"'
_NAMESPACES: Final = f'{_EXPORTERS}, netns=~"$netns"'
_LISTENERS: Final = f'{_NAMESPACES}, process=~"$process"'


def of_exporters(name: str, *matchers: str) -> str:
    """Select a metric that an exporter has once, or once a source."""
    return _select(name, _EXPORTERS, *matchers)


def of_namespaces(name: str, *matchers: str) -> str:
    """Select a metric that every network namespace has."""
    return _select(name, _NAMESPACES, *matchers)


def of_listeners(name: str, *matchers: str) -> str:
    """Select a metric that every listener has, of the namespaces and processes that are chosen."""
    return _select(name, _LISTENERS, *matchers)


def rate(counter: str) -> str:
    """Growth a second, over at least four scrapes."""
    return f"rate({counter}[$__rate_interval])"


def last_five_minutes(counter: str) -> str:
    """Growth within five minutes."""
    return f"increase({counter}[5m])"


def named(vector: str) -> str:
    """Add the label `listener`, its name in one word: 0.0.0.0:80, [::]:80, /run/php.sock or @name.

    Joined it is 0.0.0.0:80, :::80 or, as unix sockets have no port, /run/php.sock with a colon behind. The
    first replacement writes the brackets of IPv6, the second takes the last colon away.
    """
    joined = f'label_join({vector}, "listener", ":", "address", "port")'
    bracketed = f'label_replace({joined}, "listener", "[$1]:$2", "listener", "(.*:.*):([0-9]+)")'
    return f'label_replace({bracketed}, "listener", "$1", "listener", "(.+):")'


def chosen(vector: str) -> str:
    """Keep the series of the listeners that are chosen in the variable, and name them.

    No matcher can compare two labels with one variable: so those that fit get a mark, and that is asked for.
    """
    marked = f'label_replace({named(vector)}, "chosen", "yes", "listener", "$listener")'
    return f'{marked} and on (chosen) label_replace(vector(1), "chosen", "yes", "", "")'


def seen(name: str) -> str:
    """Keep of a metric that every target has, such as `up`, those of exporters, also of one that is down."""
    build = of_exporters("listen_queue_exporter_build_info")
    return f"{of_exporters(name)} and on (job, instance) last_over_time({build}[1d])"


def ours(expression: str) -> str:
    """Keep of a metric that every process has, such as its memory, those of exporters."""
    return f"{expression} and on (job, instance) {of_exporters('listen_queue_exporter_build_info')}"


def threshold(severity: str) -> str:
    """The level at which the accept queue of each listener is beyond its threshold, as utilization.

    A level of the configuration is a share or a number of connections; the listener's rule says which one.
    """
    info = of_listeners("listen_queue_listener_info")
    wanted = ('queue="accept"', f'severity="{severity}"')
    share = of_exporters("listen_queue_threshold_ratio", *wanted)
    connections = of_exporters("listen_queue_threshold_connections", *wanted)
    # Each socket admits one connection more than its backlog.
    room = f"({of_listeners('listen_queue_accept_limit')} + {of_listeners('listen_queue_sockets')})"
    rule = "on (job, instance, rule) group_left ()"
    return (
        f"{info} * {rule} {share} or on ({LISTENER}) "
        f"{info} * {rule} {connections} / on ({LISTENER}) group_left () {room}"
    )


def owner() -> str:
    """A series for each listener; its label `owner` is pod and container, else the systemd unit, else `-`.

    Where Prometheus gives its targets labels called container and pod, which are the exporter's own, those of
    the listener are called exported_; so what has no container is told by its container_id.
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
