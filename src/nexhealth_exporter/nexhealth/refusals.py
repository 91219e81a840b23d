"""The error for an answer that is no success, with the API's own message."""

from collections.abc import Callable, Mapping

from nexhealth_exporter.errors import (
    AuthFailed,
    Forbidden,
    Malformed,
    NotFound,
    OtherFailure,
    PollError,
    ServerError,
    Throttled,
)
from nexhealth_exporter.nexhealth.envelope import decode
from nexhealth_exporter.nexhealth.exchange import Response

REFUSED, SERVER_ERROR = 400, 500

_ERRORS: Mapping[int, type[PollError]] = {
    401: AuthFailed,
    403: Forbidden,
    404: NotFound,
    429: Throttled,
}
_MEANINGS: Mapping[int, str] = {
    401: "the key or the token was refused",
    403: "the key may not see this, the subdomain is misspelled, or this version is refused",
    404: "unknown to this key, or the version header was not accepted",
    429: "too many requests",
}


def refusal(response: Response, scrub: Callable[[str], str]) -> PollError:
    """The error for a status other than 2xx; `scrub` makes the API's message fit to be shown."""
    status = response.status
    if status >= SERVER_ERROR:
        kind: type[PollError] = ServerError
    else:
        kind = _ERRORS.get(status, OtherFailure)
    meaning = _MEANINGS.get(status, "a redirect is not followed" if status < REFUSED else "")
    text = f"HTTP {status}" + (f": {meaning}" if meaning else "")
    message = scrub(_message(response.body))
    return kind(f"{text}. The API says: {message}" if message else f"{text}.", status)


def _message(body: bytearray) -> str:
    """The API's message; empty for a body that is not the API's."""
    try:
        return decode(body).error
    except Malformed:
        return ""
