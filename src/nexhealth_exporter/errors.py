"""Everything that can go wrong, as one tree.

    ExporterError
    ├── ConfigError                 what the operator wrote cannot be used
    ├── StateError                  the learned state cannot be read or written
    └── PollError                   NexHealth did not give an answer we can use
        ├── Timeout                 reason="timeout"
        ├── ConnectionFailed        reason="connection"
        ├── TlsFailed               reason="tls"
        ├── AuthFailed              reason="auth"
        ├── Forbidden               reason="forbidden"
        ├── NotFound                reason="not_found"
        ├── Throttled               reason="throttled"
        ├── ServerError             reason="server_error"
        ├── Malformed               reason="malformed"
        ├── TooLarge                reason="too_large"
        └── OtherFailure            reason="other"

`reason` is the value of the label of `nexhealth_poll_failures_total`.
"""

from typing import ClassVar

import msgspec

DECODING = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that decoding JSON can raise, whatever the bytes are."""


class ExporterError(Exception):
    """The root; its text is a sentence for the person who must act, or several, one per line.

    Unprintable characters are escaped: a file or an answer that is quoted must not control the
    reader's terminal.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(map(_printable, message)))


def _printable(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return character.encode("unicode_escape").decode()


class ConfigError(ExporterError):
    """What the operator wrote cannot be used; the text names the key and the remedy."""


class StateError(ExporterError):
    """The learned state cannot be read or written."""


class PollError(ExporterError):
    """NexHealth did not give an answer that can be used.

    `status` is the HTTP status of the answer; None if there was none, or if it answered the request
    for a token. `retry_after` is for how many seconds this question should not be repeated.
    """

    reason: ClassVar[str] = "other"

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = 0.0


class Timeout(PollError):
    """No answer within the time limit."""

    reason = "timeout"


class ConnectionFailed(PollError):
    """No connection, or it broke: refused, reset, name not resolved, cut off."""

    reason = "connection"


class TlsFailed(PollError):
    """The TLS handshake or the certificate failed."""

    reason = "tls"


class AuthFailed(PollError):
    """The key or the token was refused (401)."""

    reason = "auth"


class Forbidden(PollError):
    """The key may not see this (403)."""

    reason = "forbidden"


class NotFound(PollError):
    """Unknown to this key, or the version header was refused (404)."""

    reason = "not_found"


class Throttled(PollError):
    """Too many requests (429) until the poll's time limit."""

    reason = "throttled"


class ServerError(PollError):
    """The API failed (5xx), or said `code: false`."""

    reason = "server_error"


class Malformed(PollError):
    """The answer is not what the API documents."""

    reason = "malformed"


class TooLarge(PollError):
    """The answer is larger than its limit."""

    reason = "too_large"


class OtherFailure(PollError):
    """An answer that fits none of the others, such as another 4xx or a redirect."""


POLL_FAILURE_REASONS = tuple(leaf.reason for leaf in PollError.__subclasses__())
