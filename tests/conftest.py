"""What every test may use: the marker `netns`. No example of a property has a deadline."""

from hypothesis import settings

pytest_plugins = ["testbed.plugin"]

# On a busy machine an example now and then takes longer than the 200 ms that hypothesis allows.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
