"""Tests of exporter/owners."""
