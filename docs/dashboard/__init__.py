"""Draws docs/dashboard.svg: the Grafana dashboard, from its JSON and from data of a real Prometheus.

`make picture` runs it in three minutes. It needs root, to make network namespaces and cgroups.
"""
