"""Run the command with `python -m exporter`."""

from exporter.cli.main import main

raise SystemExit(main())
