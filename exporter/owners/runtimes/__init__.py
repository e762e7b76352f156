"""Container runtimes: where each keeps the names of its containers, and what is read there."""
