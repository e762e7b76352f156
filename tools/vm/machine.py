"""A virtual machine that runs one command, with the working tree, and no network."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed import debian
from tools.vm.kernel import Kernel
from tools.vm.system import PROJECT, Installed

_QEMU = "qemu-system-x86_64"
TIME_LIMIT = 124
NO_ANSWER = 125
# Where programs that were unpacked, and not installed, have their data.
_UNPACKED_DATA = ("usr/share/qemu", "usr/share/seabios")
_BOOT = "console=ttyS0 quiet panic=-1 mitigations=off systemd.unit=command.service"
_SHOWN_LINES = 40


@dataclass(frozen=True, slots=True)
class Settings:
    """How a machine is run: memory in MiB, time limit in seconds, further words for its kernel.

    What the command leaves in $RESULTS is copied to `results`. It finds the content of the folder `files` in
    $FILES.
    """

    memory: int = 2048
    seconds: float = 600.0
    append: str = ""
    results: Path | None = None
    files: Path | None = None


def run(installed: Installed, kernel: Kernel, command: Sequence[str], settings: Settings) -> int:
    """Run a command as root in /project and return its exit status; what it prints is printed as it comes.

    TIME_LIMIT where it took too long, NO_ANSWER where the machine ended without one. Raises
    debian.UnavailableError.
    """
    qemu = shutil.which(_QEMU)
    if qemu is None:
        raise debian.UnavailableError(
            f"{_QEMU} is not on PATH; tools/programs {_QEMU}:qemu-system-x86 gets it"
        )
    with tempfile.TemporaryDirectory(prefix="machine-") as name:
        folder = Path(name)
        _write_input(folder / "input", command, settings.files)
        arguments = qemu_arguments(Path(qemu), installed, kernel, folder, settings)
        ended = _run_qemu(arguments, settings.seconds)
        if not ended:
            return TIME_LIMIT
        status = folder / "status"
        if not status.exists() or not status.read_text().strip():
            # Not there where qemu did not start, and has said why.
            log = folder / "console"
            console = log.read_text(errors="backslashreplace").splitlines() if log.exists() else []
            sys.stderr.write("\n".join(["the machine ended without an answer", *console[-_SHOWN_LINES:], ""]))
            return NO_ANSWER
        if settings.results is not None:
            settings.results.mkdir(parents=True, exist_ok=True)
            with tarfile.open(folder / "results") as archive:
                archive.extractall(settings.results, filter="data")
        return int(status.read_text())


def qemu_arguments(
    qemu: Path, installed: Installed, kernel: Kernel, folder: Path, settings: Settings
) -> list[str]:
    """The command line of qemu; nothing that is written to a disk of the machine stays."""
    unpacked = qemu.parents[2] if ".debian" in qemu.parts else None
    data = [word for each in _UNPACKED_DATA for word in ("-L", str(unpacked / each))] if unpacked else []
    disks = ((installed.disk, "snapshot=on,cache=unsafe"), (kernel.modules, "readonly=on"))
    return [
        *(str(qemu), *data, "-nodefaults", "-display", "none", "-no-reboot", "-nic", "none"),
        *_accelerator(),
        *("-smp", str(os.cpu_count()), "-m", str(settings.memory)),
        *("-kernel", str(kernel.image), "-initrd", str(kernel.initrd)),
        *("-append", f"{_BOOT} {settings.append}".strip()),
        *(word for disk, options in disks for word in _drive(disk, options)),
        *_drive(folder / "input", "readonly=on"),
        *("-serial", f"file:{folder / 'console'}"),
        *("-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
        # Not the character device `stdio`, which drops what the machine writes once its input has ended.
        *_port(1, Path("/dev/stdout")),
        *_port(2, folder / "status"),
        *_port(3, folder / "results"),
    ]


def _accelerator() -> tuple[str, ...]:
    """Return options for KVM where it works, which the device alone does not tell; else for emulation.

    What is emulated is a processor without newer instructions, which take longer.
    """
    flags = re.search(r"^flags\s*:.*\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    if flags is not None and os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "-accel", "kvm", "-cpu", "host"
    return "-accel", "tcg,thread=multi", "-cpu", "Nehalem"


def _drive(path: Path, options: str) -> tuple[str, str]:
    return "-drive", f"if=virtio,format=raw,file={path},{options}"


def _port(number: int, path: Path) -> tuple[str, ...]:
    character = f"file,id=port{number},path={path}"
    return "-chardev", character, "-device", f"virtserialport,chardev=port{number},nr={number}"


def _run_qemu(arguments: Sequence[str], seconds: float) -> bool:
    """Run qemu, and tell whether it ended by itself. Its output goes through this process as it comes."""
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        copying = threading.Thread(target=_copy, args=(process.stdout,), daemon=True)
        copying.start()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            process.kill()
            copying.join()
    return True


def _copy(source: io.BufferedReader) -> None:
    while content := source.read1(65536):
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def _write_input(archive: Path, command: Sequence[str], files: Path | None) -> None:
    """Pack the files of the working tree that git knows or would add, further `files`, and the command."""
    listing = ["git", "-C", str(PROJECT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run([*listing, "--deduplicate"], capture_output=True, check=True)
    with tarfile.open(archive, "w") as packed:
        for name in filter(None, done.stdout.decode().split("\0")):
            path = PROJECT / name
            if path.is_symlink() or path.exists():
                packed.add(path, name, recursive=False)
        if files is not None:
            packed.add(files, ".machine-files")
        content = shlex.join(command).encode()
        member = tarfile.TarInfo(".machine-command")
        member.size = len(content)
        packed.addfile(member, io.BytesIO(content))
