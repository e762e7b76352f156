"""Names of interfaces as a test gives them, in the place of those of a namespace."""

from __future__ import annotations

from collections.abc import Collection

from exporter.kernel.errors import KernelError
from exporter.kernel.sock_diag.interface import InterfaceNames
from tests.kernel.fake_kernel import FakeKernel


class FakeInterfaces(InterfaceNames):
    """`names` has them by index, `error` is raised instead; `asked` counts how often any were asked for."""

    def __init__(self, names: dict[int, str] | None = None) -> None:
        super().__init__(FakeKernel())
        self.names = names or {}
        self.error: KernelError | None = None
        self.asked = 0

    def read(self, indexes: Collection[int]) -> dict[int, str]:
        """Return the names, and for other indexes what the kernel package does."""
        self.asked += bool(indexes)
        if indexes and self.error is not None:
            raise self.error
        return {index: self.names.get(index, f"if{index}") for index in indexes}
