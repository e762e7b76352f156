"""`top`: the listeners of a host as they change."""
