"""End to end: a service whose queue fills, the exporter, Prometheus, Alertmanager and a receiver.

Prometheus has the rules and Alertmanager the configuration of deploy/. Each test runs all of them in a
network namespace of its own. `services` starts each service and sends requests to it, `waiting_clients` fills
its queue, `monitoring` runs everything that watches it.
"""
