"""The lab: real kernels in throw-away namespaces, for tests that need sockets of their own.

A test marked `netns` runs in a process with its own network namespace. Within it, `flood` makes half-open
connections, `netns` makes further namespaces beside it, `daemon` runs the exporter as a process, `page` reads
what it serves, `privileges` and `seccomp` take things away, `programs` finds the tools of the system or skips
the test.
"""
