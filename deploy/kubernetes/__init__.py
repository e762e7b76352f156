"""Manifests for Kubernetes; `python -m deploy.kubernetes.rules` writes those with Prometheus' rules."""
