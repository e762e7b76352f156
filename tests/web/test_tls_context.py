"""Contexts of TLS: what belongs together is taken, all else says which key of the file has to change."""

from __future__ import annotations

import errno
import os
import ssl
from pathlib import Path

import pytest

from exporter.web.certificates import Certificates
from exporter.yamlfile.errors import ConfigError
from exporter.yamlfile.file import content
from testbed.certificates import Authority, encrypted
from tests.web.tls_files import CLIENTS, SERVER, TlsFiles


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return TlsFiles.made(tmp_path)


def context_of(files: TlsFiles, keys: str) -> ssl.SSLContext:
    certificates = files.load(keys).certificates
    assert isinstance(certificates, Certificates)
    return certificates.context


def error_of(files: TlsFiles, keys: str = SERVER) -> str:
    with pytest.raises(ConfigError) as caught:
        files.load(keys)
    return str(caught.value).replace(f"{files.folder}/", "")


def test_defaults_are_modern(files: TlsFiles) -> None:
    context = context_of(files, SERVER)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.maximum_version is ssl.TLSVersion.TLSv1_3
    assert context.verify_mode is ssl.CERT_NONE
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_CIPHER_SERVER_PREFERENCE


def test_settings_are_those_of_the_file(files: TlsFiles) -> None:
    suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    keys = f"max_version: TLS12, cipher_suites: [{suite}], prefer_server_cipher_suites: false"
    context = context_of(files, f"{SERVER}, {CLIENTS}, {keys}, curve_preferences: [CurveP384]")
    assert context.maximum_version is ssl.TLSVersion.TLSv1_2
    names = [each["name"] for each in context.get_ciphers() if not each["name"].startswith("TLS_")]
    assert names == ["ECDHE-ECDSA-AES128-GCM-SHA256"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert context.cert_store_stats()["x509"] == 1


def test_certificate_and_key_may_be_in_the_file_itself(files: TlsFiles) -> None:
    certificate = (files.folder / "server.crt").read_text().replace("\n", "\\n")
    key = (files.folder / "server.key").read_text().replace("\n", "\\n")
    context = context_of(files, f'cert: "{certificate}", key: "{key}"')
    assert context.get_ciphers()


def test_every_file_that_cannot_be_read_is_told_at_once(files: TlsFiles) -> None:
    error = error_of(files, f"cert_file: no.crt, key_file: no.key, {CLIENTS.replace('authority', 'no')}")
    assert error.splitlines() == [
        "web.yml:1:32: tls_server_config.cert_file: no.crt: cannot be read: no such file or directory",
        "web.yml:1:50: tls_server_config.key_file: no.key: cannot be read: no such file or directory",
        "web.yml:1:74: tls_server_config.client_ca_file: no.crt: cannot be read: no such file or directory",
    ]


def test_a_key_of_another_certificate(files: TlsFiles) -> None:
    files.authority.sign("other")
    error = error_of(files, "cert_file: server.crt, key_file: other.key")
    assert error == (
        "web.yml:1:54: tls_server_config.key_file: other.key: the key is not that of the certificate;"
        " write the two that belong together"
    )


def test_a_key_that_needs_a_passphrase_is_not_asked_for(files: TlsFiles) -> None:
    key = files.folder / "server.key"
    key.write_bytes(encrypted(key))
    assert "server.key: the key needs a passphrase; write one without" in error_of(files)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("server.key", "tls_server_config.key_file: server.key: there is no private key in PEM here"),
        ("server.crt", "tls_server_config.cert_file: server.crt: there is no certificate in PEM here"),
        ("authority.crt", "tls_server_config.client_ca_file: authority.crt: there is no certificate in PEM"),
    ],
)
@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_with_something_else(files: TlsFiles, name: str, wrong: str, content: bytes) -> None:
    (files.folder / name).write_bytes(content)
    assert wrong in error_of(files, f"{SERVER}, {CLIENTS}")


def test_comments_may_have_any_characters(files: TlsFiles) -> None:
    for name in ("server.crt", "server.key", "authority.crt"):
        file = files.folder / name
        file.write_bytes("# Zertifikat für Zürich\n".encode() + file.read_bytes() + b"\xff\n")
    context = context_of(files, f"{SERVER}, {CLIENTS}")
    assert len(context.get_ca_certs()) == 1


def test_a_named_pipe_is_not_waited_for(files: TlsFiles) -> None:
    (files.folder / "server.key").unlink()
    os.mkfifo(files.folder / "server.key")
    assert "server.key: is a pipe; a regular file belongs here" in error_of(files)


def test_changed_files_are_read_again(files: TlsFiles) -> None:
    certificates = files.load().certificates
    assert certificates is not None
    first = certificates.context
    certificates.check()
    assert certificates.context is first
    files.authority.sign("server", "IP:127.0.0.1")
    certificates.check()
    assert certificates.context is not first


@pytest.mark.parametrize("broken", [None, b"", b"nonsense"])
def test_broken_files_leave_the_old_ones_in_force_with_one_line(
    files: TlsFiles, broken: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = files.load().certificates
    assert certificates is not None
    first, key = certificates.context, files.folder / "server.key"
    kept = key.read_bytes()
    key.unlink() if broken is None else key.write_bytes(broken)
    for _ in range(5):
        certificates.check()
    assert certificates.context is first
    (record,) = caplog.records
    assert record.message.startswith("certificates not read again: ")
    assert "tls_server_config.key_file" in record.message
    key.write_bytes(kept)
    certificates.check()
    files.authority.sign("server", "IP:127.0.0.1")
    certificates.check()
    assert certificates.context is not first


def test_any_other_error_leaves_them_to_the_next_look(
    files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    """As where there is no descriptor left: the thread that looks has to go on."""
    errors: list[OSError] = []

    def read(path: str) -> bytes:
        if errors:
            raise errors[0]
        return content(path)

    tls = files.load().config.tls
    assert tls is not None
    certificates = Certificates(tls, read)
    first = certificates.context
    files.authority.sign("server", "IP:127.0.0.1")
    errors.append(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
    for _ in range(3):
        certificates.check()
    (record,) = caplog.records
    assert record.message == "certificates not read again: OSError: [Errno 24] Too many open files"
    errors.clear()
    certificates.check()
    assert certificates.context is not first


def test_a_pair_that_is_half_replaced_is_not_complained_about_at_once(
    files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = files.load().certificates
    assert certificates is not None
    renewed = Authority(files.folder, "elsewhere").sign("renewed")
    (files.folder / "server.crt").write_bytes(renewed.certificate.read_bytes())
    certificates.check()
    (files.folder / "server.key").write_bytes(renewed.key.read_bytes())
    first = certificates.context
    certificates.check()
    assert certificates.context is not first
    assert [record.levelname for record in caplog.records if record.levelname == "ERROR"] == []
