"""`python -m deploy.man`: write the manual page anew."""

from __future__ import annotations

from deploy.man.page import FILE, page

FILE.write_text(page())
