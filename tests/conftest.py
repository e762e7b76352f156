"""What every test may use: the marker `netns`; and settings of Hypothesis for all tests."""

from hypothesis import settings

pytest_plugins = ["testbed.plugin"]

# Hypothesis allows each example 200 ms by default, which a process that waits for a busy core exceeds.
settings.register_profile("no deadline", parent=settings(), deadline=None)
settings.load_profile("no deadline")
