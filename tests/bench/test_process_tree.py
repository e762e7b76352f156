"""What a process and its descendants use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.process_memory import fields, memory
from bench.process_tree import Memory, ProcessTree

# Its child burns processor time, and so does a child of it that has ended.
BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
TREE = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}])
with subprocess.Popen([sys.executable, "-c", {BURN!r} + "print(flush=True); input()"], stdin=subprocess.PIPE):
    input()
"""


def test_ended_and_running_descendants_count() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TREE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        tree = ProcessTree(process.pid)
        assert 0.55 < tree.cpu_seconds() < 10
        # Three descriptors each, and the pipe to the child.
        assert tree.descriptors() >= 7
        of_all = tree.memory()
        assert memory("VmRSS", process.pid) < of_all.total
        assert of_all.proportional <= of_all.total
        process.communicate("\n")


def test_pages_of_files_count_in_full_and_once() -> None:
    rollups = [({"Pss": 50, "Pss_File": 10}, 30), ({"Pss": 20, "Pss_File": 5}, 25)]
    assert Memory.of(rollups) == Memory(proportional=70, total=40 + 15 + 30)


def test_fields_are_in_bytes_and_what_is_no_amount_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "status"
    file.write_text("Name:\tpython 4 kB\nVmRSS:\t   12 kB\nThreads:\t3\nCapEff:\t00ff\n")
    assert fields(file) == {"VmRSS": 12 * 1024}
