"""YAML files that are read by declarations of their keys; all errors at once, with line and column."""
