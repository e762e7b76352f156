"""HTTP: addresses, connections, negotiation and handlers. The routes are in exporter/cli/routes.py."""
