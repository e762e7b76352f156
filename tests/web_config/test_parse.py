"""Web configurations: what is supported is read as exporter-toolkit reads it, all else is an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web_config import WebConfig, parse
from exporter.web_config.model import ClientAuth, Pem, RateLimit, Tls, TlsVersion
from exporter.yamlfile.errors import ConfigError

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
FILES = "cert_file: a.crt, key_file: a.key"
CA = "client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert"


def lines_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "web.yml")
    return list(caught.value.lines)


def error_of(text: str) -> str:
    (line,) = lines_of(text)
    return line


def tls_of(keys: str) -> Tls:
    tls = parse(f"tls_server_config: {{{FILES}, {keys}}}", "web.yml").tls
    assert tls is not None
    return tls


def test_a_whole_file_is_read() -> None:
    text = f"""\
tls_server_config:
  cert_file: tls/server.crt
  key_file: /keys/server.key
  client_ca_file: ca.crt
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus.example.org, 192.0.2.1]
  min_version: TLS12
  max_version: TLS12
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519]
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=31536000
    X-XSS-Protection: ""
basic_auth_users:
  prometheus: {HASH}
rate_limit:
  interval: 1m30s
  burst: 3
"""
    path = "/etc/exporter/web.yml"
    tls = f"{path}:{{}}: tls_server_config."
    assert parse(text, path) == WebConfig(
        tls=Tls(
            certificate=Pem(tls.format("2:14") + "cert_file", path="/etc/exporter/tls/server.crt"),
            key=Pem(tls.format("3:13") + "key_file", path="/keys/server.key"),
            client_ca=Pem(tls.format("4:19") + "client_ca_file", path="/etc/exporter/ca.crt"),
            client_auth=ClientAuth.REQUIRED,
            allowed_sans=frozenset({"prometheus.example.org", "192.0.2.1"}),
            max_version=TlsVersion.TLS12,
            ciphers=("ECDHE-RSA-AES128-GCM-SHA256",),
            group="X25519",
            prefer_server_ciphers=False,
        ),
        users={"prometheus": HASH.encode()},
        rate_limit=RateLimit(interval_seconds=90.0, burst=3),
        headers={"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=31536000"},
    )


def test_defaults_are_those_of_the_toolkit() -> None:
    assert parse("{}", "web.yml") == WebConfig()
    tls = tls_of("client_auth_type: NoClientCert")
    assert (tls.min_version, tls.max_version) == (TlsVersion.TLS12, TlsVersion.TLS13)
    assert tls.client_auth is ClientAuth.NONE
    assert tls.prefer_server_ciphers
    assert tls.certificate.path == "a.crt"


def test_certificate_and_key_may_be_written_in_the_file_and_are_never_shown() -> None:
    text = """\
tls_server_config:
  cert: |
    -----BEGIN CERTIFICATE-----
    AAAA
  key: |
    -----BEGIN PRIVATE KEY-----
    SECRET
  client_ca: "-----BEGIN CERTIFICATE-----"
  client_auth_type: VerifyClientCertIfGiven
"""
    config = parse(text, "web.yml")
    assert config.tls is not None
    assert config.tls.key.text == "-----BEGIN PRIVATE KEY-----\nSECRET\n"
    assert config.tls.client_auth is ClientAuth.IF_GIVEN
    assert config.paths == ()
    assert "SECRET" not in repr(config)


@pytest.mark.parametrize("name", ["RequestClientCert", "RequireAnyClientCert", "RequireClientCert"])
def test_a_certificate_that_nobody_checks_is_not_supported(name: str) -> None:
    line = error_of(f"tls_server_config: {{{FILES}, client_ca_file: ca.crt, client_auth_type: {name}}}")
    assert f"client_auth_type: {name} would accept a client's certificate without checking it" in line
    assert line.endswith("write RequireAndVerifyClientCert, VerifyClientCertIfGiven or NoClientCert")


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ("min_version: TLS10", "min_version: TLS10 is insecure (RFC 8996) and not supported"),
        ("max_version: TLS11", "max_version: TLS11 is insecure (RFC 8996) and not supported"),
        ("min_version: TLS111", "min_version: TLS111 is not known (did you mean TLS1"),
        ("min_version: TLS13, max_version: TLS12", "the newest version (TLS12) is older than the oldest"),
        ("cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]", "is insecure and not supported"),
        ("cipher_suites: [TLS_ECDHE_NEW]", "cipher_suites[0]: TLS_ECDHE_NEW is not known"),
        ("cipher_suites: [TLS_AES_128_GCM_SHA256]", "none of these is for TLS 1.2"),
        ("curve_preferences: [X25519, CurveP256]", "more than one curve is not supported"),
        ("curve_preferences: [CurveP257]", "CurveP257 is not known (did you mean CurveP256?)"),
        ("cert: -----BEGIN CERTIFICATE-----", "cert_file: cert is there as well; keep one of the two"),
        ("client_ca_file: ca.crt", "client_ca_file: without effect, as no client is asked"),
        ("client_allowed_sans: [a.b]", "client_allowed_sans: without effect, as no client is asked"),
        ("client_allowed_sans: [], " + CA, "an empty list matches nothing"),
        ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file is missing: a certificate from any"),
        ("client_auth_type: VerifyClientCertIfGiven", "client_ca_file is missing: a certificate from any"),
        ("max_versoin: TLS13", "unknown key; did you mean max_version?"),
    ],
)
def test_what_tls_keys_do_not_support_is_an_error(keys: str, wrong: str) -> None:
    line = error_of(f"tls_server_config: {{{FILES}, {keys}}}")
    assert line.startswith("web.yml:1:")
    assert wrong in line


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "nothing is set in this file"),
        ("# all of it is a comment\n", "nothing is set in this file"),
        ("tls_server_config:", "nothing is written here"),
        ("basic_auth_users:", "nothing is written here"),
        ("basic_auth_users: {}", "nobody would be asked for a password"),
        ("basic_auth_users: [a]", "a list does not belong here"),
        ("basic_auth_users: {[a]: b}", "a list does not belong here"),
        (f"basic_auth_users: {{a: {HASH}, a: {HASH}}}", "written twice, the first time in line 1"),
        (f'basic_auth_users: {{"a:b": {HASH}}}', "no client can send this name"),
        (f"basic_auth_users: {{a: {HASH.replace('$10$', '$16$')}}}", "a cost of 16 is not supported"),
        (f"basic_auth_users: {{a: {HASH.replace('$10$', '$03$')}}}", "a cost of 3 is not supported"),
        (f"basic_auth_users: {{a: {HASH[:-1]}}}", "this is no bcrypt hash"),
        ("tls_server_config: {key_file: a.key}", "cert_file is missing"),
        ("tls_server_config: {cert_file: a.crt}", "key_file is missing"),
        ('tls_server_config: {cert_file: "", key_file: a.key}', "the text is empty"),
        ('tls_server_config: {cert: "", key_file: a.key}', "the text is empty"),
        ("tls_server_config: {cert: a.crt, key_file: a.key}", "this is not in PEM"),
        ("http_server_config: {http2: yes}", "yes is neither true nor false"),
        ("http_server_config: {headers: {Content-Type: foo}}", "unknown key"),
        ("http_server_config: {headers: {X-Frame-Options: foo}}", "write deny or sameorigin"),
        ("http_server_config: {headers: {X-Content-Type-Options: sniff}}", "write nosniff"),
        ('http_server_config: {headers: {X-XSS-Protection: "1\\r\\nA: b"}}', "no header can have"),
        ("rate_limit: {interval: 1s}", "a burst of 0, which is the default, refuses every request"),
        ("rate_limit: {interval: 1s, burst: 0}", "a burst of 0"),
        ("rate_limit: {burst: 5}", "without effect as there is no interval"),
        ("rate_limit: {interval: 1, burst: 5}", "1 has no unit"),
        ("rate_limit: {interval: -1s, burst: 5}", "-1s is negative"),
        ("rate_limit: {interval: 25h, burst: 5}", "25h is too much"),
        ("rate_limit: {interval: 1d, burst: 5}", "1d is not a duration"),
        ("basic_auth_user: {}", "unknown key; did you mean basic_auth_users?"),
        ("sampling: {}", "unknown key; allowed here are tls_server_config"),
        ("a: [", "not valid YAML"),
    ],
)
def test_what_the_file_does_not_support_is_an_error(text: str, wrong: str) -> None:
    line = error_of(text)
    assert line.startswith("web.yml:")
    assert wrong in line


@pytest.mark.parametrize("written", ["hunter2", "*hunter2", "!hunter2 x", "'hunter2'", "|\n    hunter2"])
def test_no_message_shows_a_password_that_stands_in_the_place_of_its_hash(written: str) -> None:
    line = error_of(f"basic_auth_users:\n  a: {written}\n")
    assert "hunter2" not in line
    assert "write the bcrypt hash of the password" in line


@pytest.mark.parametrize("written", ["hunter2", "*hunter2", "!hunter2 x"])
def test_no_message_shows_a_key(written: str) -> None:
    assert "hunter2" not in error_of(f"tls_server_config: {{cert_file: a.crt, key: {written}}}")


def test_all_errors_come_at_once_in_the_order_of_the_file() -> None:
    text = "tls_server_config: {cert_file: a}\nbasic_auth_users: {a: b}\nrate_limit: {interval: 1}\n"
    assert [line.split(" ")[0] for line in lines_of(text)] == [
        "web.yml:1:20:",
        "web.yml:2:23:",
        "web.yml:3:24:",
    ]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("100ms", 0.1), ("1h2m3s", 3723.0), ("1.5s", 1.5), (".5s", 0.5), ("1us", 1e-6), ("1µs", 1e-6)],
)
def test_an_interval_is_written_as_a_duration_of_go(written: str, seconds: float) -> None:
    limit = parse(f"rate_limit: {{interval: {written}, burst: 1}}", "web.yml").rate_limit
    assert limit == RateLimit(seconds, 1)


@pytest.mark.parametrize("written", ["0", "0s"])
def test_an_interval_of_nothing_is_no_limit(written: str) -> None:
    assert parse(f"rate_limit: {{interval: {written}, burst: 1}}", "web.yml").rate_limit is None


@given(st.text())
def test_any_text_is_read_or_gives_lines_about_it(text: str) -> None:
    lines: tuple[str, ...] = ()
    try:
        parse(text, "web.yml")
    except ConfigError as error:
        lines = error.lines
    assert all(line.startswith("web.yml:") for line in lines)
