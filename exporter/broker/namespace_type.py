"""Which kind of namespace a file is of: all kinds have files on the same file system.

Source: NS_GET_NSTYPE in ioctl_nsfs(2), Linux 4.11.
"""

from __future__ import annotations

import fcntl
import os
from typing import Final

_NS_GET_NSTYPE: Final = 0xB703
_CLONE_NEWNET: Final = 0x40000000


def is_network_namespace(path: bytes) -> bool:
    """Tell whether the file of a namespace is that of a network namespace.

    Where the kernel does not tell, or the file may not be opened, it is taken for one: to enter it will tell.
    """
    try:
        # What lies there may be something else meanwhile. While it is open it keeps the namespace.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == _CLONE_NEWNET
    except OSError:
        return True
    finally:
        os.close(descriptor)
