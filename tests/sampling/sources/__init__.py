"""What each source asks, and what its answer changes."""
