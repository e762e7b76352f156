"""Certificates of an authority that nobody else trusts, made with openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from testbed import programs

_DAYS = "30"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; its files and theirs are in `folder`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self.own = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
        _openssl("req", "-x509", *_key(self.own), "-out", self.own.certificate, "-subj", f"/CN={name}")

    def sign(self, name: str, *alternative_names: str) -> Certificate:
        """Make a certificate; alternative names are written as in `DNS:localhost`."""
        made = Certificate(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        names = ("-addext", f"subjectAltName={','.join(alternative_names)}") if alternative_names else ()
        authority = ("-CA", self.own.certificate, "-CAkey", self.own.key)
        subject = ("-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:FALSE")
        _openssl("req", "-x509", *_key(made), "-out", made.certificate, *subject, *names, *authority)
        return made


def encrypted(key: Path) -> bytes:
    """The key in a form that needs a passphrase."""
    return subprocess.run(
        [programs.find("openssl"), "pkey", "-in", key, "-aes256", "-passout", "pass:secret"],
        check=True,
        capture_output=True,
    ).stdout


def _key(made: Certificate) -> tuple[str | Path, ...]:
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    return (*kind, "-days", _DAYS, "-keyout", made.key)


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(
        [programs.find("openssl"), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
