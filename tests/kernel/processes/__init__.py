"""Processes and cgroups, from trees with the layout of /proc."""
