"""The web configuration: TLS, users and headers."""

import ssl
from collections.abc import Mapping
from pathlib import Path

import msgspec

from nexhealth_exporter.webconfig.users import Users


class WebConfig(msgspec.Struct, frozen=True):
    """How to serve. `tls` None is plain HTTP; `files` are the files that it was read from.

    `tls_options` are those under `tls_server_config`, by name; empty for plain HTTP.
    """

    tls: ssl.SSLContext | None = None
    tls_options: Mapping[str, object] = msgspec.field(default_factory=dict)
    users: Users = msgspec.field(default_factory=lambda: Users({}))
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    files: tuple[Path, ...] = ()
    text: str = ""

    @property
    def asks_who(self) -> bool:
        """Whether clients must authenticate, by password or by certificate."""
        shows_certificate = self.tls is not None and self.tls.verify_mode is ssl.CERT_REQUIRED
        return bool(self.users) or shows_certificate
