"""What the exporter relies on, on the kernel of a virtual machine. Each test notes what it saw there."""

from typing import Final

# Every series, and so many samples that an emulated machine has time for something else.
CONFIG: Final = "sampling: {interval: 100ms, cpu_budget: 30%}\ndefaults: {export: full}\n"
