"""The HTTP side: it is handed callables and sockets, and knows nothing of what the page is about."""

from exporter.web.address import ListenAddress, bind
from exporter.web.limits import Limits
from exporter.web.negotiation import Format, accepts_gzip, negotiate
from exporter.web.server import Server
from exporter.web.site import Site

__all__ = [
    "Format",
    "Limits",
    "ListenAddress",
    "Server",
    "Site",
    "accepts_gzip",
    "bind",
    "negotiate",
]
