"""What Debian's Alertmanager needs to start where it was unpacked and not installed."""

from __future__ import annotations

from pathlib import Path

from testbed import syscalls

_SHARE = Path("/usr/share")
_TEMPLATES = "prometheus/alertmanager"


def bring_templates(program: str) -> None:
    """Show it the templates that lie beside the program where it looks for them, in /usr/share.

    To be called between fork and exec: its mounts are its own from then on.
    """
    share = Path(program).resolve().parents[1] / "share"
    if not (_SHARE / _TEMPLATES).exists() and (share / _TEMPLATES).exists():
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.keep_mounts_private()
        syscalls.mount_same(str(share), str(_SHARE))
