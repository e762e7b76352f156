"""The broker: what it says and what it opens, mostly on the real kernel."""
