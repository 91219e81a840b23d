"""What holds for every answer: basic auth, and security headers."""

import base64
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from nexhealth_exporter.web.view import Access
from nexhealth_exporter.webconfig import Crowded

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "nexhealth-exporter",
}
"""The operator's web configuration overrides these."""


def basic_auth(access: Callable[[], Access]) -> Middleware:
    """Middleware that asks for user and password on every path, if users are configured."""

    @web.middleware
    async def ask(request: web.Request, handler: Handler) -> web.StreamResponse:
        verify = access().verify
        if verify is None:
            return await handler(request)
        said = credentials(request.headers.get(hdrs.AUTHORIZATION, ""))
        try:
            is_known = said is not None and await verify(*said)
        except Crowded:
            return web.Response(
                status=503,
                text="Too many passwords are being checked; try again in a few seconds.\n",
                headers={hdrs.RETRY_AFTER: "5"},
            )
        if is_known:
            return await handler(request)
        return web.Response(
            status=401,
            text="Authentication required: user and password.\n",
            headers={hdrs.WWW_AUTHENTICATE: 'Basic realm="nexhealth-exporter", charset="UTF-8"'},
        )

    return ask


def security_headers(
    access: Callable[[], Access],
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """The signal handler that adds the headers to every answer."""

    async def add(_request: web.Request, response: web.StreamResponse) -> None:
        for name, value in (SECURITY_HEADERS | dict(access().headers)).items():
            response.headers[name] = value

    return add


def credentials(header: str) -> tuple[str, str] | None:
    """User and password of an Authorization header; None if it holds none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None
