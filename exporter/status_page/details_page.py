"""The page about one listener: its queues in the last ten minutes, spikes, thresholds, and who owns it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from exporter.api.details import EPISODE_SECONDS, Details
from exporter.api.figures import clock, counted, date_and_clock, duration, iso, number, percent
from exporter.api.overview import WINDOW_SECONDS
from exporter.status_page import html_page, listener_name
from exporter.status_page.client_table import client_section
from exporter.status_page.details_query import DetailsQuery, DetailsQueryError
from exporter.status_page.health import badge
from exporter.status_page.html_page import Content, Site
from exporter.status_page.markup import Markup, element, joined
from exporter.status_page.sparkline import chart
from exporter.web.response import HttpResponse

Document = Mapping[str, Any]
_QUEUES: Final = {"accept": "Accept queue", "syn_recv": "SYN queue"}
_MINUTES: Final = f"{WINDOW_SECONDS / 60:.0f} minutes"


class DetailsPage:
    """Makes the page of a site."""

    def __init__(self, details: Details, site: Site) -> None:
        self._details = details
        self._site = site

    def respond(self, query: str) -> HttpResponse:
        """Return the page, 404 where nothing is known of the listener, or 400 for a wrong query.

        Where clients are asked for it says that they were not looked for.
        """
        return self._respond(query, with_clients=False)

    def respond_with_clients(self, query: str) -> HttpResponse:
        """Return the same with the clients that are asked for."""
        return self._respond(query, with_clients=True)

    def _respond(self, query: str, *, with_clients: bool) -> HttpResponse:
        try:
            wanted = DetailsQuery.parse(query)
        except DetailsQueryError as error:
            return HttpResponse.text(HTTPStatus.BAD_REQUEST, str(error))
        return html_page.respond(self._site, lambda: self._content(wanted, with_clients=with_clients))

    def _content(self, wanted: DetailsQuery, *, with_clients: bool) -> Content:
        labels = wanted.labels
        document = self._details.document(labels, wanted.clients if with_clients else None)
        known = document["listener"] is not None or document["queues"] or document["episodes"]
        return Content(
            title=listener_name.endpoint(labels),
            time=document["time"],
            main=joined(*_sections(document, wanted)),
            status=HTTPStatus.OK if known else HTTPStatus.NOT_FOUND,
        )


def _sections(document: Document, wanted: DetailsQuery) -> Iterator[Markup]:
    row, labels = document["listener"], wanted.labels
    process = listener_name.process(labels)
    yield element("p", element("a", "All listeners", href="./"))
    yield element(
        "h2",
        listener_name.isolated(listener_name.endpoint(labels)),
        joined(" ", process) if process else None,
        joined(" ", badge(row["state"])) if row else None,
    )
    if row is None:
        text = "It is not open now, or cannot be read; the page of all listeners says what cannot be seen."
        yield element("p", text, class_="overall-state unseen")
    else:
        yield _figures(row, document)
        yield client_section(row, document["clients"], asked=wanted.clients is not None)
    if not document["recorder_enabled"]:
        yield element(
            "p", "Nothing is recorded: the configuration has recorder: {enabled: false}.", class_="note"
        )
    else:
        yield from (_queue(queue) for queue in document["queues"])
        yield _episodes(document)
    if row is not None:
        yield _owners(document)


def _figures(row: Document, document: Document) -> Markup:
    syn_queue = row["has_syn_queue"]
    figures = {
        "Waiting for accept": number(row["accept_length"]),
        "Backlog": number(row["accept_limit"]),
        "Full to": percent(row["accept_utilization_ratio"]),
        "Oldest wait": _oldest_wait(row) if syn_queue else None,
        "Half-open": f"{number(row['syn_recv'])} of {number(row['syn_recv_limit'])}" if syn_queue else None,
        "Packets dropped": number(row["drops_total"]) if syn_queue else None,
        "Sockets": number(row["sockets"]),
        "Rule": document["rule"],
        "Network namespace": row["netns"],
        "MPTCP": "yes" if document["mptcp"] else None,
        "Path": "leads to another file, or to none" if row["stale_path"] else None,
    }
    return _list(figures)


def _oldest_wait(row: Document) -> str:
    return "nobody waits" if row["accept_length"] == 0 else duration(row["accept_oldest_wait_seconds"])


def _list(figures: Mapping[str, str | None]) -> Markup:
    return element(
        "dl",
        *(
            element("div", element("dt", name), element("dd", listener_name.isolated(value)))
            for name, value in figures.items()
            if value is not None
        ),
    )


def _queue(queue: Document) -> Markup:
    title, identifier = _QUEUES[queue["queue"]], f"queue-{queue['queue']}"
    peak = _peak(queue)
    lines = [(each["severity"], each["ratio"]) for each in queue["thresholds"] if each["ratio"] is not None]
    thresholds = ", ".join(f"{each['severity']} from {each['level']}" for each in queue["thresholds"])
    return element(
        "section",
        element("h3", f"{title}, last {_MINUTES}", id=identifier),
        element(
            "figure",
            element("div", element("span", "full"), element("span", "0"), class_="scale", aria_hidden="true"),
            chart(queue["spans"], f"{title}: {peak} in the last {_MINUTES}", lines),
            element(
                "div",
                element("span", f"{_MINUTES} ago"),
                element("span", "now"),
                class_="times",
                aria_hidden="true",
            ),
            element(
                "figcaption",
                f"The highest sample of each second: {peak}.",
                f" Thresholds: {thresholds}." if thresholds else None,
            ),
        ),
        _spikes(queue) if queue["spikes"] else None,
        aria_labelledby=identifier,
    )


def _peak(queue: Document) -> str:
    if queue["peak_length"] == 0:
        return "no connection was seen in it"
    return f"at most {percent(queue['peak_ratio'])}, {_connections(queue['peak_length'])}"


def _connections(length: int | None) -> str:
    return f"{number(length)} connections" if length is None else counted(length, "connection")


def _spikes(queue: Document) -> Markup:
    items = (
        element(
            "li",
            element("time", clock(each["begin"]), datetime=iso(each["begin"])),
            f": {counted(each['length'], 'connection')} for {duration(each['end'] - each['begin'])}",
        )
        for each in queue["spikes"]
    )
    return element("ol", *items, class_="spikes", aria_label="Highest spikes")


def _episodes(document: Document) -> Markup:
    episodes, omitted = document["episodes"], document["episodes_omitted"]
    return element(
        "section",
        element("h3", "Thresholds crossed in the last day", id="episodes"),
        element("ol", *(_episode(each) for each in episodes), class_="episodes")
        if episodes
        else element("p", "None whose minute is over.", class_="note"),
        element(
            "p",
            f"And {counted(omitted, 'earlier one', 'earlier ones')}; listen-queue-exporter history has them.",
            class_="note",
        )
        if omitted
        else None,
        aria_labelledby="episodes",
    )


def _episode(episode: Document) -> Markup:
    what = f"{_QUEUES[episode['queue']]}: {_peak(episode)}"
    return element(
        "li",
        badge(episode["severity"]),
        " ",
        element("time", date_and_clock(episode["at"]), datetime=iso(episode["at"])),
        f" {what}",
        chart(episode["spans"], f"{what} in the {EPISODE_SECONDS:.0f} seconds around it"),
    )


def _owners(document: Document) -> Markup:
    owners, omitted = document["owners"], document["owners_omitted"]
    return element(
        "section",
        element("h3", "Owner" if len(owners) == 1 else "Owners", id="owners"),
        *(
            _list({name.replace("_", " ").capitalize(): value for name, value in each.items()})
            for each in owners
        ),
        element("p", "Not known: nobody has the socket, or the exporter may not see who.", class_="note")
        if not owners
        else None,
        element("p", f"And {number(omitted)} more.", class_="note") if omitted else None,
        aria_labelledby="owners",
    )
