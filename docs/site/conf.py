"""Settings of Sphinx for the site that `make site` builds from the documents of this folder."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from exporter import __version__

ROOT: Final = Path(__file__).resolve().parents[2]
_SOURCE: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]
# A link of Markdown to a file above docs/, as the ones to the example of the configuration.
_OUTSIDE: Final = re.compile(r"\]\((?P<up>(?:\.\./)+)(?P<path>[^)]+)\)")

project = "listen-queue-exporter"
project_copyright = ""
release = version = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["site"]
# Links to headings, as GitHub makes them.
myst_heading_anchors = 3

html_theme = "furo"
html_title = project
html_show_sourcelink = False
html_use_index = False
html_show_copyright = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
# No page asks another host for anything; furo has its fonts and scripts in itself.
html_theme_options = {"source_edit_link": f"{_SOURCE}/blob/main/docs/{{filename}}"}
# The documents have blocks of text that is no language.
highlight_language = "none"


def lead_outside(app: Any, name: str, source: list[str]) -> None:  # noqa: ARG001  (Sphinx passes it)
    """Make links to files that are no part of the site lead to the repository."""
    depth = name.count("/") + 1

    def replaced(link: re.Match[str]) -> str:
        if link["up"].count("../") < depth:
            return link[0]
        kind = "tree" if (ROOT / link["path"].partition("#")[0]).is_dir() else "blob"
        return f"]({_SOURCE}/{kind}/main/{link['path']})"

    source[0] = _OUTSIDE.sub(replaced, source[0])


def setup(app: Any) -> None:
    """Register what changes a document before it is read."""
    app.connect("source-read", lead_outside)
