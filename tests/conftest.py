"""What every test may use: the lab's marker `netns`."""

pytest_plugins = ["testbed.plugin"]
