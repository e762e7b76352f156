"""What every test may use: the marker `netns`."""

pytest_plugins = ["testbed.plugin"]
