"""Draws docs/dashboard.svg: the Grafana dashboard, from its JSON and from data of a real Prometheus.

`make picture` runs it. It needs root, as it makes network namespaces and cgroups, and three minutes.
"""
