"""TLS and basic auth, from a file in the format of Prometheus' exporters."""

import asyncio
import hashlib
import hmac
import re
import secrets
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from nexhealth_exporter.document import Document, Problem, Table, parse, read_text
from nexhealth_exporter.errors import ConfigError

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH = {
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
_CIPHERS = {
    f"TLS_ECDHE_{key}_WITH_{name}": f"ECDHE-{key}-{openssl}"
    for key in ("ECDSA", "RSA")
    for name, openssl in (
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    )
}
_HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")
_NOBODY = "." * 53
"""The salt and digest of a hash that no password has."""

LONGEST_PASSWORD = 72
"""bcrypt looks at so many bytes and no more."""

MOST_CHECKS = 16
"""Passwords that may wait to be checked: guessing must not make a queue of minutes."""


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


Version = Annotated[str, _one_of(_VERSIONS)]
Header = Annotated[str, AfterValidator(_header)]


class Tls(Table):
    """The server's certificate and whose certificates it takes."""

    example = "{cert_file: server.crt, key_file: server.key}"

    unsupported: ClassVar[Mapping[str, str]] = {
        "cert": "write it to a file, and cert_file",
        "key": "write it to a file, and key_file",
        "client_ca": "write it to a file, and client_ca_file",
        "client_allowed_sans": "use a client_ca_file of its own for the clients",
        "prefer_server_cipher_suites": "remove it",
        "curve_preferences": "remove it",
    }

    cert_file: str = Field(examples=["server.crt"])
    key_file: str = Field(examples=["server.key"])
    client_auth_type: Annotated[str, _one_of(_CLIENT_AUTH)] = "NoClientCert"
    client_ca_file: str | None = Field(None, examples=["ca.crt"])
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: list[Annotated[str, _one_of(_CIPHERS)]] = Field(
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
    """How answers are given."""

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


class Crowded(Exception):
    """Too many passwords are being checked already."""


class Users:
    """Who may come in: bcrypt hashes by name.

    Checking takes a tenth of a second on purpose, so it is done in a thread, one at a time,
    and a good answer is remembered under a keyed hash. An unknown name costs as much as that
    of some user, and always the same, so that time does not tell whether there is such a user.
    """

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = hashes
        self._nobody = [f"$2b${shown.split('$')[2]}${_NOBODY}" for shown in hashes.values()]
        self._good: set[bytes] = set()
        self._secret = secrets.token_bytes(32)
        # A thread of its own: whoever guesses passwords delays nothing else that needs one.
        self._thread = ThreadPoolExecutor(1, "passwords")
        self._checks = 0

    def __bool__(self) -> bool:
        """True when somebody must say who they are."""
        return bool(self._hashes)

    async def verify(self, user: str, password: str) -> bool:
        """True if that is the user's password. Raises Crowded."""
        # Cut as bcrypt does, or one password would be remembered in ever longer forms.
        looked_at = _bytes(password)[:LONGEST_PASSWORD]
        mark = self._digest(b"%d " % len(user) + _bytes(user) + looked_at)
        if mark in self._good:
            return True
        known = self._hashes.get(user)
        fits = await self._checked(looked_at, known or self._of_nobody(user))
        if known is None or not fits:
            return False
        self._good.add(mark)
        return True

    def _checked(self, password: bytes, shown: str) -> asyncio.Future[bool]:
        if self._checks >= MOST_CHECKS:
            raise Crowded
        self._checks += 1
        loop = asyncio.get_running_loop()
        check = loop.run_in_executor(self._thread, _fits, password, shown)
        # Also when whoever asked has gone: what waits is dropped then.
        check.add_done_callback(self._left)
        return check

    def _left(self, _check: object) -> None:
        self._checks -= 1

    def _of_nobody(self, user: str) -> str:
        """A hash that nothing fits, of the cost that one of the users has."""
        drawn = int.from_bytes(self._digest(_bytes(user)))
        return self._nobody[drawn % len(self._nobody)]

    def _digest(self, text: bytes) -> bytes:
        return hmac.digest(self._secret, text, hashlib.sha256)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _fits(password: bytes, shown: str) -> bool:
    # Imported late: few have passwords to check, and all wait for the start.
    import bcrypt  # noqa: PLC0415

    return bcrypt.checkpw(password, shown.encode())


@dataclass(frozen=True)
class WebConfig:
    """How to serve. `tls` None is plain HTTP; `files` are those that it was made from."""

    tls: ssl.SSLContext | None = None
    users: Users = field(default_factory=lambda: Users({}))
    headers: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    text: str = ""

    @property
    def asks_who(self) -> bool:
        """Whether whoever comes must say who it is: by password or by certificate."""
        shows_certificate = self.tls is not None and self.tls.verify_mode is ssl.CERT_REQUIRED
        return bool(self.users) or shows_certificate


def load(path: Path | None) -> WebConfig:
    """The web configuration of that file, or none. Raises ConfigError that tells what is wrong.

    Files that it names are looked for beside it.
    """
    if path is None:
        return WebConfig()
    text = read_text(path)
    document = parse(text, path.name)
    file = document.read_as(WebConfigFile)
    tls = file.tls_server_config
    named = [tls.cert_file, tls.key_file, tls.client_ca_file] if tls else []
    return WebConfig(
        tls=_context(tls, path.parent, document) if tls else None,
        users=Users(file.basic_auth_users),
        # In the format, blank means that the file does not set it.
        headers={name: value for name, value in file.http_server_config.headers.items() if value},
        files=(path, *(path.parent / name for name in named if name)),
        text=text,
    )


def _context(tls: Tls, folder: Path, document: Document) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    context.verify_mode = _CLIENT_AUTH[tls.client_auth_type]
    context.set_alpn_protocols(["http/1.1"])
    if tls.cipher_suites:
        context.set_ciphers(":".join(_CIPHERS[name] for name in tls.cipher_suites))
    _load_certificate(context, folder / tls.cert_file, folder / tls.key_file, document)
    if tls.client_ca_file is not None:
        _load_authority(context, folder / tls.client_ca_file, document)
    return context


def _load_certificate(context: ssl.SSLContext, cert: Path, key: Path, document: Document) -> None:
    _must_be_readable(cert, "cert_file", document)
    _must_be_readable(key, "key_file", document)
    try:
        # The empty password keeps OpenSSL from asking for one on the terminal.
        context.load_cert_chain(cert, key, password="")
    except ssl.SSLError:
        raise _wrong(
            document, "key_file", "does not fit cert_file; both must be PEM, the key not encrypted"
        ) from None


def _load_authority(context: ssl.SSLContext, authority: Path, document: Document) -> None:
    _must_be_readable(authority, "client_ca_file", document)
    try:
        context.load_verify_locations(authority)
    except ssl.SSLError:
        raise _wrong(document, "client_ca_file", "holds no PEM certificate") from None


def _must_be_readable(
    file: Path, key: Literal["cert_file", "key_file", "client_ca_file"], document: Document
) -> None:
    try:
        file.open("rb").close()
    except OSError as e:
        raise _wrong(document, key, f"names {file}, which cannot be read: {e.strerror}") from None


def _wrong(document: Document, key: str, text: str) -> ConfigError:
    return document.error([Problem(("tls_server_config", key), text)])
