"""The rows of the dashboard, in files by their subjects."""
