"""What every test may use: the marker `netns`; and settings of Hypothesis for all tests."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["testbed.plugin"]

# Hypothesis limits the time of each example, and of drawing them, which a process that waits for a busy core
# exceeds.
settings.register_profile(
    "busy machine", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy machine")
