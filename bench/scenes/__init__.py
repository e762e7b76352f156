"""What is measured, each scene in a network namespace of its own."""
