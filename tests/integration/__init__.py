"""The whole exporter on the real kernel: what it serves against what `ss`, /proc and the clock say.

Every test makes its sockets in a namespace of its own (see `testbed`), so the page holds nothing else but
the exporter's own port.
"""
