"""Which build of the program this is."""

from __future__ import annotations

import os
import platform

from exporter import __version__
from exporter.metrics.context import BuildInfo

# The image's build sets it, since an installed package cannot know its commit.
_REVISION_VARIABLE = "LISTEN_QUEUE_EXPORTER_REVISION"


def build_info() -> BuildInfo:
    """Return the version, the commit where it is known, and the version of Python."""
    return BuildInfo(__version__, os.environ.get(_REVISION_VARIABLE, ""), platform.python_version())
