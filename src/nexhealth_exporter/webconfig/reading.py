"""Reads the web configuration from its file."""

import ssl
from pathlib import Path
from typing import Literal

from nexhealth_exporter.document import Document, Problem, parse, read_text
from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.webconfig.config import WebConfig
from nexhealth_exporter.webconfig.schema import CIPHERS, CLIENT_AUTH, VERSIONS, Tls, WebConfigFile
from nexhealth_exporter.webconfig.users import Users


def read(path: Path) -> WebConfig:
    """The web configuration in that file. Raises ConfigError that lists all errors."""
    text = read_text(path)
    document = parse(text, path.name)
    file = document.read_as(WebConfigFile)
    tls = file.tls_server_config
    return WebConfig(
        tls=_context(tls, path.parent, document) if tls else None,
        tls_options=tls.model_dump() if tls else {},
        users=Users(file.basic_auth_users),
        # In this format, an empty value means that the header is not set.
        headers={name: value for name, value in file.http_server_config.headers.items() if value},
        files=(path, *_named(tls, path.parent)),
        text=text,
    )


def named(path: Path) -> tuple[Path, ...]:
    """The files that it names, whether or not they can be used; none if it is unreadable."""
    try:
        file = parse(read_text(path), path.name).read_as(WebConfigFile)
    except ConfigError:
        return ()
    return _named(file.tls_server_config, path.parent)


def _named(tls: Tls | None, folder: Path) -> tuple[Path, ...]:
    names = (tls.cert_file, tls.key_file, tls.client_ca_file) if tls else ()
    return tuple(folder / name for name in names if name)


def _context(tls: Tls, folder: Path, document: Document) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[tls.min_version]
    context.maximum_version = VERSIONS[tls.max_version]
    context.verify_mode = CLIENT_AUTH[tls.client_auth_type]
    context.set_alpn_protocols(["http/1.1"])
    if tls.cipher_suites:
        context.set_ciphers(":".join(CIPHERS[name] for name in tls.cipher_suites))
    _load_certificate(context, folder / tls.cert_file, folder / tls.key_file, document)
    if tls.client_ca_file is not None:
        _load_authority(context, folder / tls.client_ca_file, document)
    return context


def _load_certificate(context: ssl.SSLContext, cert: Path, key: Path, document: Document) -> None:
    _must_be_readable(cert, "cert_file", document)
    _must_be_readable(key, "key_file", document)
    try:
        # With an empty password, OpenSSL does not prompt for one on the terminal.
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
