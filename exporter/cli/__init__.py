"""The command: what is typed, and what is done about it."""
