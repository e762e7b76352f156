"""The message classes of pyroute2 that requests are encoded with, without the rest of pyroute2.

`import pyroute2` imports every protocol that it knows, 160 modules in 10 MB of memory, and these are a few of
them. So the package is imported without running its `__init__`, and without its sockets, for which it imports
asyncio: that takes a fifth of the time in which `show` starts.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any, Final

_PACKAGE: Final = "pyroute2"
_SOCKETS: Final = "pyroute2.netlink.nlsocket"


class _WithoutSockets(ModuleType):
    """Stands in for the module of sockets, from whose classes others are derived that nothing here uses."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def _import(*names: str) -> list[Any]:
    """Import modules of the package, and leave the package as if nothing of it had been imported."""
    whole = {name: module for name, module in sys.modules.items() if _belongs(name)}
    for name in whole:
        del sys.modules[name]
    sys.modules[_PACKAGE] = _empty_package()
    sys.modules[_SOCKETS] = _WithoutSockets(_SOCKETS)
    try:
        return [importlib.import_module(f"{_PACKAGE}.{name}") for name in names]
    finally:
        for name in [name for name in sys.modules if _belongs(name)]:
            del sys.modules[name]
        sys.modules.update(whole)


def _empty_package() -> ModuleType:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}", name=_PACKAGE)
    return importlib.util.module_from_spec(spec)


def _belongs(name: str) -> bool:
    return name.partition(".")[0] == _PACKAGE


# pyroute2 ships no types.
_netlink, _diag = _import("netlink", "netlink.diag")

NLM_F_DUMP: Final[int] = _netlink.NLM_F_DUMP
NLM_F_REQUEST: Final[int] = _netlink.NLM_F_REQUEST
SOCK_DIAG_BY_FAMILY: Final[int] = _diag.SOCK_DIAG_BY_FAMILY
UDIAG_SHOW_NAME: Final[int] = _diag.UDIAG_SHOW_NAME
UDIAG_SHOW_RQLEN: Final[int] = _diag.UDIAG_SHOW_RQLEN
UDIAG_SHOW_VFS: Final[int] = _diag.UDIAG_SHOW_VFS
nlmsg: Final[Any] = _netlink.nlmsg
inet_diag_req: Final[Any] = _diag.inet_diag_req
unix_diag_req: Final[Any] = _diag.unix_diag_req
