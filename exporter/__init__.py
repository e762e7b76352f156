"""listen-queue-exporter: how full every listen queue of this host is, for Prometheus."""

__version__ = "0.1.0"
