"""The top of the page: what cannot be seen, what is wrong, and what is over its threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from exporter.api.figures import counted, duration, number, percent
from exporter.status_page import listener_name
from exporter.status_page.markup import Markup, element, joined

_WRONG: Final = ("full", "critical", "warning")
_MAX_ERRORS: Final = 10
_MAX_NAMESPACES: Final = 3

Document = Mapping[str, Any]


def overall_state(document: Document) -> tuple[str, str]:
    """Return the class and the text of the one line that says how the host is."""
    counts = document["counts"]
    total = sum(counts.values())
    if not document["ready"]:
        return "unseen", "No fresh sample: what is shown below, if anything, may be out of date."
    wrong = [f"{number(counts[state])} {state}" for state in _WRONG if counts.get(state)]
    if wrong:
        worst = next(state for state in _WRONG if counts.get(state))
        return worst, f"Of {counted(total, 'listener')}: {', '.join(wrong)}."
    if document["errors"] or counts.get("unknown"):
        return "unseen", f"Of {counted(total, 'listener')} that can be seen, none is over its threshold."
    if not total:
        return "unseen", "No listener: nothing listens here, or the rules publish none of it."
    return "ok", f"{counted(total, 'listener')}, none over its threshold."


def health(document: Document, *, reload_failed: bool) -> Markup:
    """Return the section; `reload_failed` tells that the newest configuration is not in force."""
    state, text = overall_state(document)
    problems = list(_problems(document, reload_failed=reload_failed))
    return element(
        "section",
        element("h2", "Health", id="health"),
        element("p", text, class_=f"overall-state {state}"),
        element("ul", *problems, class_="problems") if problems else None,
        *_exceeded(document),
        aria_labelledby="health",
    )


def _problems(document: Document, *, reload_failed: bool) -> Iterator[Markup]:
    errors = _by_error(document["errors"])
    for error, sources, namespaces in errors[:_MAX_ERRORS]:
        yield element(
            "li",
            element("strong", f"Cannot see {', '.join(sources)}"),
            " of ",
            *_names(namespaces),
            f": {error}",
            class_="error",
        )
    if len(errors) > _MAX_ERRORS:
        yield element("li", f"{counted(len(errors) - _MAX_ERRORS, 'further error')}.", class_="error")
    unknown = document["counts"].get("unknown", 0)
    if unknown:
        yield element("li", f"The queues of {counted(unknown, 'listener')} cannot be read.", class_="error")
    if reload_failed:
        # What is wrong with it may quote it, which is nothing for everybody who can read the page.
        text = "The newest configuration is wrong, and not in force; the exporter's log says why."
        yield element("li", text, class_="error")
    if document["only_own_namespace"]:
        yield element("li", "Only this network namespace is seen, and no container.")


def _by_error(errors: Sequence[Document]) -> list[tuple[str, tuple[str, ...], list[str]]]:
    """Return each error once, with the sources that fail for it and the namespaces in which they do."""
    sources: dict[tuple[str, str], list[str]] = {}
    for each in errors:
        sources.setdefault((each["netns"], each["error"]), []).append(each["source"])
    namespaces: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (netns, error), names in sources.items():
        namespaces.setdefault((error, tuple(names)), []).append(netns)
    return [(error, names, where) for (error, names), where in namespaces.items()]


def _names(namespaces: Sequence[str]) -> Iterator[Markup | str]:
    for index, name in enumerate(namespaces[:_MAX_NAMESPACES]):
        yield joined(", " if index else None, listener_name.isolated(name))
    if len(namespaces) > _MAX_NAMESPACES:
        yield f" and {counted(len(namespaces) - _MAX_NAMESPACES, 'further namespace')}"


def _exceeded(document: Document) -> Iterator[Markup]:
    rows = document["exceeded"]
    if not rows:
        return
    yield element("h3", "Over its threshold", id="exceeded")
    yield element("ul", *(_item(row) for row in rows), class_="exceeded", aria_labelledby="exceeded")
    others = sum(document["counts"].get(state, 0) for state in _WRONG) - len(rows)
    if others > 0:
        yield element("p", f"And {counted(others, 'listener')} more, in the table below.", class_="note")


def _item(row: Document) -> Markup:
    process = listener_name.process(row)
    return element(
        "li",
        badge(row["state"]),
        " ",
        listener_name.link(row),
        joined(" ", process) if process else None,
        element("span", f": {'; '.join(_figures(row))}", class_="why"),
        class_=row["state"],
    )


def _figures(row: Document) -> Iterator[str]:
    verb = "waits" if row["accept_length"] == 1 else "wait"
    yield f"{number(row['accept_length'])} {verb}, backlog {number(row['accept_limit'])}"
    if row["accept_oldest_wait_seconds"]:
        yield f"the oldest for {duration(row['accept_oldest_wait_seconds'])}"
    if row["syn_recv"] and row["syn_recv_limit"]:
        share = percent(row["syn_recv"] / row["syn_recv_limit"])
        yield f"{counted(row['syn_recv'], 'half-open connection')} ({share} of what is admitted)"


def badge(state: str | None) -> Markup:
    """Return the state of a listener as a word in its colour."""
    name = state or "unknown"
    return element("span", name, class_=f"badge {name}")
