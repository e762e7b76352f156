"""Tests of exporter.listeners, without a kernel."""
