"""Manifests for Kubernetes: `python -m deploy.kubernetes.rules` writes those that carry Prometheus' rules."""
