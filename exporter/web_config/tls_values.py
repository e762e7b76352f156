"""The types of the words of crypto/tls of Go, which the format has its names from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from exporter.web_config.model import ClientAuth, TlsVersion
from exporter.yamlfile.scalar import Scalar, WrongValueError
from exporter.yamlfile.values import Format, ScalarValue

T = TypeVar("T")

_UNCHECKED: Final = "would accept a client's certificate without checking it, which is not supported"
_OLD: Final = "is insecure (RFC 8996) and not supported"
_NO_FORWARD_SECRECY: Final = "is insecure and not supported"


@dataclass(frozen=True, slots=True)
class Term(ScalarValue[T], Generic[T]):
    """One of the words of `meanings`; `refused` has those of the format that are not supported, and why."""

    meanings: Mapping[str, T]
    refused: Mapping[str, str]
    instead: str

    @property
    def format(self) -> Format:
        """The words that are supported."""
        words = [word for word in self.meanings if word]
        return Format("word", f"one of {', '.join(words)}", f"write {self.instead}", {"enum": words})

    def parse(self, scalar: Scalar) -> T:
        """Return the meaning; raises WrongValueError."""
        if scalar.text in self.meanings:
            return self.meanings[scalar.text]
        if scalar.text in self.refused:
            raise WrongValueError(f"{scalar.display} {self.refused[scalar.text]}")
        similar = difflib.get_close_matches(scalar.text[:60], list(self.meanings), n=1)
        hint = f" (did you mean {similar[0]}?)" if similar else ""
        raise WrongValueError(f"{scalar.display} is not known{hint}")


CLIENT_AUTH: Final = Term(
    {
        "NoClientCert": ClientAuth.NONE,
        "VerifyClientCertIfGiven": ClientAuth.IF_GIVEN,
        "RequireAndVerifyClientCert": ClientAuth.REQUIRED,
        "": ClientAuth.NONE,
    },
    dict.fromkeys(("RequestClientCert", "RequireAnyClientCert", "RequireClientCert"), _UNCHECKED),
    "RequireAndVerifyClientCert, VerifyClientCertIfGiven or NoClientCert",
)

VERSION: Final = Term(
    {"TLS12": TlsVersion.TLS12, "TLS13": TlsVersion.TLS13},
    dict.fromkeys(("TLS10", "TLS11"), _OLD),
    "TLS12 or TLS13",
)

# By the names of IANA, which Go has; TLS 1.3 has suites of its own, and all of them are always on, as in Go.
_TLS12_SUITES: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
_TLS13_SUITES: Final = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
# Those of tls.InsecureCipherSuites() that Go once had among the others.
_INSECURE_SUITES: Final = (
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
)

# A suite of TLS 1.3 is read as an empty text.
CIPHER_SUITE: Final = Term(
    {**_TLS12_SUITES, **dict.fromkeys(_TLS13_SUITES, "")},
    dict.fromkeys(_INSECURE_SUITES, _NO_FORWARD_SECRECY),
    "the name of a suite in Go, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, or leave the list out",
)

CURVE: Final = Term(
    {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"},
    {},
    "CurveP256, CurveP384, CurveP521 or X25519",
)
