"""Measures what the exporter costs, beside a C baseline and other programs on the same workloads."""
