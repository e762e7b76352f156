"""Ruby from Debian's packages that are unpacked in .debian, where it does not look for its own library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_UNPACKED: Final = Path(__file__).resolve().parents[1] / ".debian" / "usr" / "lib"
# Where Debian's packages put what `require` finds, below /usr/lib.
_PATHS: Final = (
    "ruby/[0-9]*",
    "ruby/vendor_ruby",
    "*-linux-gnu/ruby/[0-9]*",
    "*-linux-gnu/rubygems-integration/*/gems/raindrops-*/lib",
    "*-linux-gnu/rubygems-integration/*/extensions/*/*/raindrops-*",
)


def environment() -> dict[str, str]:
    """Return the environment of this process, in which Ruby finds packages that are unpacked."""
    paths = [str(path) for pattern in _PATHS for path in sorted(_UNPACKED.glob(pattern))]
    if not paths:
        return dict(os.environ)
    known = os.environ.get("RUBYLIB")
    return {**os.environ, "RUBYLIB": ":".join([*paths, *([known] if known else [])])}
