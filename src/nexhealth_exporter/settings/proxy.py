"""Which proxy to use for an address, by the usual environment variables."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.settings.values import url_with_credentials


def proxy_to(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy for that address, possibly with a password; None for a direct connection.

    `HTTPS_PROXY` or `HTTP_PROXY`, by the scheme of the address, in upper or lower case; `NO_PROXY`
    lists exceptions, and loopback addresses never use one. Raises ConfigError, without the
    password, for a proxy that cannot be used.
    """
    address = urlsplit(url)
    name = f"{address.scheme}_proxy"
    found = _either(environ, name)
    if not found or _is_near(address, environ):
        return None
    try:
        return url_with_credentials(found if "://" in found else f"http://{found}")
    except ValueError:
        # Not chained: its text may show a password.
        raise ConfigError(
            f"{name.upper()} must be an address such as http://proxy.example:3128; "
            "other kinds of proxies are not supported."
        ) from None


def without_password(proxy: str) -> str:
    """The address of a proxy in a form that may be shown."""
    parts = urlsplit(proxy)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _either(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _is_near(address: SplitResult, environ: Mapping[str, str]) -> bool:
    host = address.hostname or ""
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost"
    names = (name.strip().lower() for name in _either(environ, "no_proxy").split(","))
    return is_local or any(_fits(name, host, address.netloc.lower()) for name in names if name)


def _fits(name: str, host: str, host_and_port: str) -> bool:
    domain = name.lstrip(".")
    return name == "*" or domain in {host, host_and_port} or host.endswith(f".{domain}")
