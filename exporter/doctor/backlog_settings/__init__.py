"""What the backlog is called in the settings of programs, its default, and where that is written."""
