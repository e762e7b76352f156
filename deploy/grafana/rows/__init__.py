"""The rows of the dashboard, from what is wrong now down to the exporter's own cost."""
