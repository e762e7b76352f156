"""listen-queue-exporter: how full every listen queue of this host is, for Prometheus."""

import os

__version__ = "0.1.0"
# Which commit this is; whoever builds an image sets it, since an installed package cannot know.
__revision__ = os.environ.get("LISTEN_QUEUE_EXPORTER_REVISION", "")
