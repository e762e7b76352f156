"""The names of the processes, as ps(1) shows them; the kernel keeps 15 bytes."""

from typing import Final

SUPERVISOR: Final = "lqe-supervisor"
BROKER: Final = "lqe-broker"
FILE_BROKER: Final = "lqe-file-broker"
