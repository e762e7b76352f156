"""The command: flags, subcommands and the daemon."""
