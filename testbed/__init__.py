"""Linux kernels, programs and privileges as tests need them, without a trace on the machine.

A test marked `netns` runs in a process with its own network, mount and PID namespace. Within it, `flood`
makes half-open connections, `netns` makes further network namespaces, `daemon` runs the exporter, `page`
reads what it serves, `prometheus` and `alertmanager` run these programs, `privileges` and `seccomp` take
rights away, and `programs` finds the programs of the system or skips the test.
"""
