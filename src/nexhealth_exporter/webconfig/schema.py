"""The schema of the file, in the format of Prometheus' exporters."""

import re
import ssl
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator

from nexhealth_exporter.document import Table

VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_HEADERS = (
    "Strict-Transport-Security",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Content-Security-Policy",
)
CIPHERS = {
    f"TLS_ECDHE_{key}_WITH_{name}": f"ECDHE-{key}-{openssl}"
    for key in ("ECDSA", "RSA")
    for name, openssl in (
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    )
}
_HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")


def _one_of(known: Iterable[str]) -> AfterValidator:
    def check(word: str) -> str:
        if word not in known:
            raise ValueError(
                f'has "{word}", which is not supported; write one of {", ".join(known)}'
            )
        return word

    return AfterValidator(check)


def _bcrypt_hash(text: str) -> str:
    if not _HASH.fullmatch(text):
        raise ValueError("is not a bcrypt hash; make one with `htpasswd -nBC 10 USER`")
    return text


def _header(text: str) -> str:
    if not text.isprintable() or not text.isascii():
        raise ValueError("must be one line of ASCII text")
    return text


def _path(text: str) -> str:
    if "\0" in text:
        raise ValueError("must be the path of a file")
    return text


Version = Annotated[str, _one_of(VERSIONS)]
File = Annotated[str, AfterValidator(_path)]
Header = Annotated[str, AfterValidator(_header)]


class Tls(Table):
    """The server's certificate, and which client certificates it accepts."""

    example = "{cert_file: server.crt, key_file: server.key}"

    unsupported: ClassVar[Mapping[str, str]] = {
        "cert": "write it to a file, and cert_file",
        "key": "write it to a file, and key_file",
        "client_ca": "write it to a file, and client_ca_file",
        "client_allowed_sans": "use a client_ca_file of its own for the clients",
        "prefer_server_cipher_suites": "remove it",
        "curve_preferences": "remove it",
    }

    cert_file: File = Field(examples=["server.crt"])
    key_file: File = Field(examples=["server.key"])
    client_auth_type: Annotated[str, _one_of(CLIENT_AUTH)] = "NoClientCert"
    client_ca_file: File | None = Field(None, examples=["ca.crt"])
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: list[Annotated[str, _one_of(CIPHERS)]] = Field(
        default=[], examples=["[TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]"]
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "Tls":
        if (self.client_auth_type == "NoClientCert") != (self.client_ca_file is None):
            raise ValueError(
                "needs client_ca_file and a client_auth_type that verifies, both or neither"
            )
        if self.min_version > self.max_version:
            raise ValueError("has min_version above max_version; write the lower one first")
        return self


def _only_http1(wanted: bool) -> bool:  # noqa: FBT001 - pydantic calls it with the value
    if wanted:
        raise ValueError("is not supported; write false or remove it")
    return wanted


class Http(Table):
    """HTTP/2 and response headers."""

    http2: Annotated[bool, AfterValidator(_only_http1)] = False
    headers: dict[Annotated[str, _one_of(_HEADERS)], Header] = Field(
        default={}, examples=["{X-Frame-Options: deny}"]
    )


class WebConfigFile(Table):
    """The whole file."""

    tls_server_config: Tls | None = None
    http_server_config: Http = Http()
    basic_auth_users: dict[str, Annotated[str, AfterValidator(_bcrypt_hash)]] = Field(
        default={}, examples=["{prometheus: $2y$10$..}"]
    )
