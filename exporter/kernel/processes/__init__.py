"""Processes, the sockets they hold, and their cgroups."""
