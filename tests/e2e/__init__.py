"""The whole chain on real parts, from a service whose queue fills to somebody who is told of it.

Between them are the exporter, Prometheus with the shipped rules and Alertmanager with the shipped
configuration. Each test makes all of it in a namespace of its own. `services` says how each program is
started and spoken to, `crowd` has the clients that wait in its queue, `stack` has what watches.
"""
