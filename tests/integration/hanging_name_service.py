"""A name service whose server does not answer, as LDAP or SSSD in a network that is down.

Source: nsswitch.conf(5), https://sourceware.org/glibc/manual/latest/html_node/NSS-Module-Function-Internals.html.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from testbed import programs, syscalls

_SOURCE = """
#include <nss.h>
#include <pwd.h>
#include <stddef.h>
#include <unistd.h>

enum nss_status _nss_hanging_getpwuid_r(uid_t uid, struct passwd *user, char *buffer, size_t size, int *error)
{
    for (;;)
        pause();
}
"""


def make_name_service_hang(folder: Path) -> None:
    """Let programs that are started from here on wait for good where a user is not in /etc/passwd.

    To be called in a mount namespace of the test's own. Skips the test without a C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not Path("/etc/nsswitch.conf").exists():
        pytest.skip("no C compiler, or no /etc/nsswitch.conf")
    source = folder / "hanging.c"
    source.write_text(_SOURCE)
    programs.output(compiler, "-shared", "-fPIC", "-o", str(folder / "libnss_hanging.so.2"), str(source))
    switch = folder / "nsswitch.conf"
    switch.write_text("passwd: files hanging\ngroup: files\nhosts: files\n")
    syscalls.mount_same(str(switch), "/etc/nsswitch.conf")
    # The exporter looks for it as another user.
    for each in (folder, *folder.parents[:3]):
        each.chmod(each.stat().st_mode | 0o555)
    os.environ["LD_LIBRARY_PATH"] = f"{folder}:{os.environ.get('LD_LIBRARY_PATH', '')}"
