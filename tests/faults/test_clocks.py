"""The time of day jumps, and no figure with it."""

from __future__ import annotations

import os
import struct
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from testbed import programs
from testbed.daemon import ExporterProgram
from testbed.waiting import until
from tests.faults.redirected_exporter import EXPORTER, ROOT
from tests.integration import listening_sockets
from tests.integration.metric_values import figure, until_figure, until_sampled

# Adds the seconds in the file named by CLOCK_STEP to the time of day, as settimeofday(2) would for all.
_LIBRARY: Final = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
static volatile long *step;
__attribute__((constructor)) static void set_up(void) {
    int fd = open(getenv("CLOCK_STEP"), O_RDONLY);
    step = mmap(0, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
}
int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, t);
    if (id == CLOCK_REALTIME && step) t->tv_sec += *step;
    return result;
}
"""
DAY: Final = 86400
CONFIG: Final = (
    "sampling: {interval: 10ms, cpu_budget: 100%, peak_window: 60s}\n"
    "defaults: {export: full, accept: {warning: 1, critical: 2}, hold: 0s}\n"
)


@pytest.mark.netns
@pytest.mark.fault("the time of day jumps by days, both ways", "only timestamps follow; no figure jumps")
def test_the_time_of_day_jumps(tmp_path: Path) -> None:
    step, library, config = tmp_path / "step", tmp_path / "step.so", tmp_path / "c.yaml"
    source = tmp_path / "step.c"
    source.write_text(_LIBRARY)
    step.write_bytes(struct.pack("l", 0))
    config.write_text(CONFIG)
    subprocess.run([programs.find("cc"), "-shared", "-fPIC", "-o", library, source], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "CLOCK_STEP": str(step)}
    command = [*EXPORTER, "--web.listen-address=127.0.0.1:10511", f"--config.file={config}"]
    with (
        listening_sockets.tcp("127.0.0.1", backlog=1) as listener,
        ExporterProgram(command, tmp_path / "exporter.log", cwd=ROOT, env=environment) as exporter,
        step.open("r+b", buffering=0) as setting,
    ):
        exporter.wait_ready()
        clients = listening_sockets.clients(listener, 2)
        until_figure(exporter, 2, "accept_length", port="8080")
        begun = time.monotonic()
        for days in (400, -400, 0, 3):
            full = figure(exporter, "accept_full_seconds_total", port="8080") or 0
            # In place: the exporter has it mapped.
            setting.seek(0)
            setting.write(struct.pack("l", days * DAY))
            until_sampled(exporter, "inet", 20)
            stamp = until(
                lambda: figure(exporter, "exporter_last_sample_timestamp_seconds", source="inet") or 0,
                lambda stamp, days=days: abs(stamp - time.time() - days * DAY) < 60,  # type: ignore[misc]
            )
            assert stamp
            assert figure(exporter, "exporter_source_success", source="inet", netns="host") == 1
            now = figure(exporter, "accept_full_seconds_total", port="8080") or 0
            assert full <= now <= time.monotonic() - begun + 60
            assert (figure(exporter, "accept_oldest_wait_seconds", port="8080") or 0) < 60
            assert (figure(exporter, "exporter_sample_interval_seconds", source="inet") or 0) <= 4
            assert exporter.request("/-/ready").status == 200
        for client in clients:
            client.close()


def test_the_time_of_day_is_read_in_few_places() -> None:
    """As a timestamp of the page, and never to tell how long something took."""
    wall = ("time.time(", "datetime.now(", "CLOCK_REALTIME", ".utcnow(", "time.time_ns(", "time.time,")
    found = {
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "exporter").rglob("*.py"))
        if any(word in path.read_text() for word in (*wall, "= time.time\n"))
    }
    assert found == {"exporter/sampling/clock.py"}
