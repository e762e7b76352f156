"""Writes images of the compose file as files: `python -m tests.machines.images FOLDER`; needs root.

That of the exporter is built from the Dockerfile. That of Prometheus holds the program of Debian's newest
release, so that no image registry is needed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import yaml

from testbed.programs import NEWER
from tests.deploy.compose.files import BASE, FOLDER, ROOT
from tests.deploy.image import base
from tests.deploy.image.buildah import Buildah

_RELEASE = "trixie"
# As the image of its makers: a server that is not root, whose data has a place that is its own.
_PROMETHEUS = f"""\
FROM localhost/{_RELEASE}
COPY prometheus /bin/prometheus
RUN mkdir /prometheus && chown nobody: /prometheus
USER nobody
ENTRYPOINT ["/bin/prometheus"]
"""


def main(folder: Path) -> None:
    """Build and write both."""
    images = {
        name: service["image"]
        for name, service in yaml.safe_load((FOLDER / BASE).read_text())["services"].items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="images-") as store, tempfile.TemporaryDirectory() as temporary:
        buildah, context = Buildah(Path(store)), Path(temporary)
        buildah.load(base.archive(_RELEASE), f"localhost/{_RELEASE}")
        options = base.build_options(context)
        base_image = f"--build-arg=BASE=localhost/{_RELEASE}"
        buildah.build(base_image, *options, f"--tag=localhost/{images['exporter']}", ".", cwd=ROOT)
        shutil.copy(NEWER / "prometheus", context)
        (context / "Dockerfile").write_text(_PROMETHEUS)
        buildah.build(f"--tag=localhost/{images['prometheus']}", ".", cwd=context)
        for name in ("exporter", "prometheus"):
            buildah.save(images[name], folder / f"{name}.tar")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
