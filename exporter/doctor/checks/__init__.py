"""One module for each group of checks. A check takes a HostView, asks nothing itself, and yields findings."""
