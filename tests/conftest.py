"""What every test may use: the marker `netns`, and settings of Hypothesis for a machine that may be busy."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["testbed.plugin"]

# How long an example takes depends on what else the machine has to do.
settings.register_profile("busy-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy-machine")
