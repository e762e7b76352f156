"""A web configuration in force: Prometheus scrapes with TLS, a client certificate and a password."""

from __future__ import annotations

import base64
import http.client
import os
import ssl
from contextlib import ExitStack
from pathlib import Path
from signal import SIGHUP

import bcrypt
import pytest

from testbed.certificates import Authority, Certificate
from testbed.daemon import Daemon
from testbed.prometheus import Prometheus, flags
from testbed.waiting import equals, until

USER, PASSWORD = "prometheus", "a pass word: öäü"
WEB = """\
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: authority.crt
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus.example.org]
basic_auth_users:
  {user}: {hash}
rate_limit: {{interval: 10ms, burst: 100}}
http_server_config:
  headers: {{Strict-Transport-Security: max-age=60}}
"""
SCRAPE = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: exporter
    scheme: https
    tls_config: {{ca_file: authority.crt, cert_file: client.crt, key_file: client.key}}
    basic_auth: {{username: {user}, password: "{password}"}}
    static_configs: [{{targets: ["127.0.0.1:10511"]}}]
"""


class Setup:
    """An exporter with a web configuration in `folder`, and the certificates that it takes."""

    def __init__(self, folder: Path, stack: ExitStack, *, confined: bool = False) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.authority.sign("server", "DNS:localhost", "IP:127.0.0.1")
        self.client = self.authority.sign("client", "DNS:prometheus.example.org")
        self.file = folder / "web.yml"
        self.set_password(PASSWORD)
        self.daemon = stack.enter_context(Daemon(f"--web.config.file={self.file}", confined=confined))
        self.daemon.wait_for_log('msg="listening"')

    def set_password(self, password: str) -> None:
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        self.file.write_text(WEB.format(user=USER, hash=hashed))

    def connection(self, shown: Certificate | None = None) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.authority.own.certificate))
        chosen = shown or self.client
        context.load_cert_chain(chosen.certificate, chosen.key)
        return http.client.HTTPSConnection("127.0.0.1", self.daemon.port, timeout=20, context=context)

    def status(self, password: str = PASSWORD, path: str = "/metrics") -> int:
        connection = self.connection()
        authorization = base64.b64encode(f"{USER}:{password}".encode()).decode()
        try:
            connection.request("GET", path, headers={"Authorization": f"Basic {authorization}"})
            return connection.getresponse().status
        finally:
            connection.close()


def _answer(connection: http.client.HTTPSConnection) -> http.client.HTTPResponse:
    connection.request("GET", "/")
    return connection.getresponse()


@pytest.mark.netns
def test_prometheus_scrapes_with_certificates_and_a_password(tmp_path: Path) -> None:
    with ExitStack() as stack:
        setup = Setup(tmp_path, stack)
        config = SCRAPE.format(user=USER, password=PASSWORD)
        server = stack.enter_context(Prometheus(tmp_path, flags(tmp_path, config)))
        until(lambda: server.value('up{job="exporter"}'), equals(1))
        assert server.value("listen_queue_sysctl_net_core_somaxconn")
        # Its connection goes on while certificates are replaced; a new one gets the new certificate.
        setup.authority.sign("server", "DNS:localhost", "IP:127.0.0.1")
        setup.daemon.wait_for_log("certificates read again")
        setup.set_password("another")
        setup.daemon.signal(SIGHUP)
        until(lambda: server.value('up{job="exporter"}'), equals(0))
        (target,) = server.targets()
        assert "401" in target["lastError"]


@pytest.mark.netns
def test_no_path_is_served_without_the_password(tmp_path: Path) -> None:
    with ExitStack() as stack:
        setup = Setup(tmp_path, stack)
        for path in ("/", "/metrics", "/-/ready", "/-/healthy", "/no-such-path"):
            assert setup.status("wrong", path) == 401
        assert setup.status() == 200
        other = setup.connection(setup.authority.sign("other", "DNS:other.example.org"))
        with pytest.raises((OSError, http.client.HTTPException)):
            _answer(other)
        assert "this port speaks TLS" in setup.daemon.request("/metrics").text


@pytest.mark.netns
@pytest.mark.parametrize("broken", ["", "tls_server_config: {", "basic_auth_users: {prometheus: plain}\n"])
def test_a_broken_file_leaves_the_old_one_in_force_with_one_line(tmp_path: Path, broken: str) -> None:
    with ExitStack() as stack:
        setup = Setup(tmp_path, stack)
        setup.file.write_text(broken)
        setup.daemon.signal(SIGHUP)
        setup.daemon.wait_for_log("configuration not reloaded: ")
        assert setup.status() == 200
        assert setup.status("wrong") == 401
        assert setup.daemon.log.count("configuration not reloaded: ") == 1
        setup.set_password("another")
        setup.daemon.signal(SIGHUP)
        until(lambda: setup.status("another"), equals(200))
        assert setup.status() == 401


@pytest.mark.netns
def test_what_is_open_without_tls_ends_when_tls_begins(tmp_path: Path) -> None:
    with ExitStack() as stack:
        setup = Setup(tmp_path, stack)
        whole = setup.file.read_text()
        setup.file.write_text("{}\n")
        setup.daemon.signal(SIGHUP)
        setup.daemon.wait_for_log('msg="configuration reloaded"')
        plain = http.client.HTTPConnection("127.0.0.1", setup.daemon.port, timeout=20)
        plain.request("GET", "/metrics")
        assert plain.getresponse().read()
        setup.file.write_text(whole)
        setup.daemon.signal(SIGHUP)
        until(lambda: setup.daemon.log.count('msg="configuration reloaded"'), equals(2))
        assert plain.sock is not None
        assert plain.sock.recv(1) == b""
        assert setup.status() == 200


@pytest.mark.netns
def test_a_wrong_file_at_the_start_ends_with_status_2(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("tls_server_config: {cert_file: no.crt, key_file: no.key}\n")
    with Daemon(f"--web.config.file={file}") as daemon:
        assert daemon.wait() == 2
        assert "web.yml:1:32: tls_server_config.cert_file: " in daemon.log


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_key_that_only_root_may_read_is_read_again(tmp_path: Path) -> None:
    """The process that serves HTTP is another user then."""
    with ExitStack() as stack:
        setup = Setup(tmp_path, stack, confined=True)
        assert _uid(setup.daemon.pid) != 0
        (tmp_path / "server.key").chmod(0o600)
        setup.authority.sign("server", "DNS:localhost", "IP:127.0.0.1")
        (tmp_path / "server.key").chmod(0o600)
        setup.daemon.wait_for_log("certificates read again")
        served = ssl.get_server_certificate(("127.0.0.1", setup.daemon.port), timeout=20)
        assert served.strip() == (tmp_path / "server.crt").read_text().strip()


def _uid(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("Uid:")[2].split()[0])
