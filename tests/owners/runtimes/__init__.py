"""Tests of exporter.owners.runtimes."""
