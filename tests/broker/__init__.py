"""The broker: its messages, its processes, and what it opens, mostly on the real kernel."""
