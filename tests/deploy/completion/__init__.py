"""Completion of the command, in real shells."""
