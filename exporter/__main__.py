"""`python -m exporter` is the command."""

from exporter.cli.main import main

raise SystemExit(main())
