"""Warnings about secrets or pages that other machines could read."""

import ipaddress
import logging
from urllib.parse import urlsplit

from nexhealth_exporter.settings import Settings
from nexhealth_exporter.webconfig import WebConfig

logger = logging.getLogger(__name__)


def warn_of_plain_key(settings: Settings) -> None:
    """Warn if the API key would be sent over a network in plain text."""
    api = urlsplit(settings.api_url)
    if api.scheme == "http" and _is_public(api.hostname):
        logger.warning("API_URL is plain http: the API key is sent unencrypted; use https")


def warn_of_open_port(settings: Settings, web: WebConfig) -> None:
    """Warn if other machines can reach the port without authentication or without TLS."""
    if _is_public(settings.listen_address.host) and not (web.tls and web.asks_who):
        logger.warning(
            "other machines can reach this port, and TLS or authentication is off: "
            "let only Prometheus reach it, or set WEB_CONFIG_FILE"
        )


def _is_public(host: str | None) -> bool:
    """Whether the host is beyond this machine; None listens on every address."""
    try:
        return host is None or not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
