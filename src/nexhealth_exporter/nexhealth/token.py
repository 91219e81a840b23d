"""The bearer token: requested once for all callers, renewed early, never in a storm."""

import asyncio
import logging
import random
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nexhealth_exporter.errors import AuthFailed, ConfigError, ConnectionFailed, PollError, Timeout

logger = logging.getLogger(__name__)

HOUR = 3600.0
_RENEWED_AFTER = 0.9
"""Share of its lifetime after which a token is replaced."""

_CLOCKS_AGREE = 300.0
"""Seconds by which the token's own times may differ from our clock and still be trusted."""

_ROUNDING = 1e-3
"""Seconds of rounding error in sums and differences of instants."""

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 300.0
_LONGEST_WAIT_OFFLINE = 60.0
"""Seconds to wait after a failure; less where no answer came, since that call was cheap."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, when it expires, and when it should be renewed (POSIX seconds)."""

    value: str = field(repr=False)
    expires: float
    renew_at: float


class _Claims(msgspec.Struct):
    exp: Any = None
    iat: Any = None


def expiry(token: str, now: float) -> float:
    """When the token expires: as its claims say, or in an hour if they cannot be read."""
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(
            urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims
        )
    except (IndexError, ValueError, RecursionError, msgspec.MsgspecError):
        return now + HOUR
    exp, iat = _number(claims.exp), _number(claims.iat)
    if exp is None:
        return now + HOUR
    if iat is not None and abs(iat - now) > _CLOCKS_AGREE and exp > iat:
        return now + exp - iat  # the clocks differ, but its lifetime is still right
    return exp if exp > now else now + HOUR


def _number(value: object) -> float | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:19])
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < 2**53 else None


class _Backoff:
    """Exponential backoff, with jitter so that shards do not act in step."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._wait = 0.0
        self._until = float("-inf")

    @property
    def is_on(self) -> bool:
        # If more is left than the whole wait, the clock was set back: do not wait for it.
        return 0 < self._until - self._clock() < self._wait + _ROUNDING

    def failed(self, longest: float) -> None:
        wait = min(_FIRST_WAIT * 2.0 ** min(self._failures, 20), longest)
        self._failures += 1
        self._wait = wait * random.uniform(0.75, 1.0)  # noqa: S311 -- no secret
        self._until = self._clock() + self._wait

    def reset(self) -> None:
        self._failures = 0
        self._until = float("-inf")


class Authenticator:
    """Holds the token; all callers share one request for it, and its failure.

    `ask` exchanges the key for a token or raises a leaf of PollError. `key` is called for each
    request, so that a rotated key is used at once, even during the wait after a refusal; while a
    token is held, `follow_key` tells that the key may be another.
    `life` is how long (seconds) the latest token is used before it is renewed.
    """

    def __init__(
        self,
        ask: Callable[[str], Awaitable[str]],
        key: Callable[[], str],
        *,
        clock: Callable[[], float],
        on_token: Callable[[float], None],
    ) -> None:
        self._ask = ask
        self._key = key
        self._clock = clock
        self._on_token = on_token
        self._turn = asyncio.Lock()
        self._token: Token | None = None
        self.life = _RENEWED_AFTER * HOUR
        self._failure: PollError | None = None
        self._sent_key = self._newest_key = ""
        self._is_of_old_key = False
        self._asking = _Backoff(clock)
        self._replacing = _Backoff(clock)
        self._unhelpful: Token | None = None

    @property
    def is_held(self) -> bool:
        """Whether there is a token that has not expired."""
        return self._token is not None and self._clock() < self._token.expires

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown: the token, and the key that was sent for it."""
        return (self._token.value if self._token else "", self._sent_key)

    def follow_key(self) -> bool:
        """If the key has changed since it was sent, renew the token with the next call.

        Returns whether it has. A token of the old key may see other institutions, or none, without
        ever getting a 401. It is used for as long as the new key gives none.
        """
        with suppress(OSError, ConfigError):
            self._newest_key = self._key().strip()
        is_another = self._newest_key != self._sent_key
        self._is_of_old_key |= is_another
        return is_another

    async def token(self) -> Token:
        """A token that is not due for renewal, or at least has not expired. Raises PollError."""
        if (token := self._fresh()) is not None:
            return token
        async with self._turn:
            if (token := self._fresh()) is not None:
                return token
            try:
                return await self._authenticate()
            except PollError:
                if self._token is None or not self.is_held:
                    raise
                return self._token  # good for a while yet

    async def instead_of(self, refused: Token) -> Token | None:
        """A token to replace one that got a 401; None if it is too early to request another.

        Raises PollError if authenticating fails.
        """
        async with self._turn:
            if self._token is not None and self._token is not refused:
                return self._token
            if self._replacing.is_on:
                return None
            self._token = None
            return await self._authenticate()

    def replaced(self, by: Token, *, helped: bool) -> None:
        """A token was replaced after a 401; `helped` tells whether the new one was accepted.

        If not, the token was not at fault, and the next replacement has to wait, longer each time.
        Calls that were under way together and used the same token count once.
        """
        if helped:
            self._replacing.reset()
        elif by is not self._unhelpful:
            self._unhelpful = by
            self._replacing.failed(_LONGEST_WAIT)

    def _fresh(self) -> Token | None:
        token = self._token
        if token is None or self._is_of_old_key or self._clock() >= token.renew_at:
            return None
        return token

    async def _authenticate(self) -> Token:
        key = self._usable_key()
        if self._failure is not None and self._asking.is_on and key == self._sent_key:
            raise self._failure.with_traceback(None)
        self._sent_key = self._newest_key = key
        try:
            value = await self._ask(key)
        except PollError as error:
            is_offline = isinstance(error, ConnectionFailed | Timeout)
            self._asking.failed(_LONGEST_WAIT_OFFLINE if is_offline else _LONGEST_WAIT)
            self._failure = error
            logger.warning(
                "authentication failed", extra={"reason": error.reason, "error": str(error)}
            )
            raise
        self._failure = None
        self._is_of_old_key = key != self._newest_key  # it may have been replaced meanwhile
        self._asking.reset()
        now = self._clock()
        expires = expiry(value, now)
        self.life = _RENEWED_AFTER * (expires - now)
        self._token = Token(value, expires, now + self.life)
        self._on_token(expires)
        return self._token

    def _usable_key(self) -> str:
        try:
            key = self._key().strip()
        except (OSError, ConfigError):
            raise AuthFailed("The API key cannot be read.") from None
        if not key or not key.isascii() or not key.isprintable():
            raise AuthFailed("The API key is empty, or cannot be sent in an HTTP header.")
        return key
