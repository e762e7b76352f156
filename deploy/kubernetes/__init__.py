"""Manifests for Kubernetes; `python -m deploy.kubernetes.rules` writes those with the rules for Prometheus."""
