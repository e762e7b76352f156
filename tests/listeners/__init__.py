"""What a listener is, tested without a kernel."""
