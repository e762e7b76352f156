"""The testbed's own tests."""
