"""Warnings of what others than this machine could read."""

import ipaddress
import logging
from urllib.parse import urlsplit

from nexhealth_exporter.settings import Settings
from nexhealth_exporter.webconfig import WebConfig

logger = logging.getLogger(__name__)


def warn_of_plain_key(settings: Settings) -> None:
    """Warn if the key is sent where others are on the way."""
    api = urlsplit(settings.api_url)
    if api.scheme == "http" and _is_public(api.hostname):
        logger.warning("API_URL is plain http: whoever is on the way can read the key; use https")


def warn_of_open_port(settings: Settings, web: WebConfig) -> None:
    """Warn if others reach the port and nobody asks who they are, or hides what is said."""
    if _is_public(settings.listen_address.host) and not (web.tls and web.asks_who):
        logger.warning(
            "listening beyond this machine without TLS and passwords or client certificates; "
            "let only Prometheus reach this port, or set WEB_CONFIG_FILE"
        )


def _is_public(host: str | None) -> bool:
    """Whether others than this machine reach the host; an empty one is every address."""
    try:
        return host is None or not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
