"""The small process that keeps the capabilities, and what the others need to talk to it."""
