"""The Grafana dashboard: `python -m deploy.grafana` writes listen-queue.json from this folder."""
