"""`python -m deploy.completion`: write the scripts of all shells anew."""

from __future__ import annotations

from deploy.completion.scripts import FILES, script

for shell, path in FILES.items():
    path.write_text(script(shell))
