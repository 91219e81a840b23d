"""The calls: the inventory, the syncs of one institution, the syncs of all."""

import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from types import TracebackType
from typing import Self
from urllib.parse import quote

from yarl import URL

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
from nexhealth_exporter.model import Institution, Inventory, Sync
from nexhealth_exporter.nexhealth import envelope, payload
from nexhealth_exporter.nexhealth.exchange import LARGE_LIMIT, Call, Exchange, Meter, Response
from nexhealth_exporter.nexhealth.pacer import Pacer
from nexhealth_exporter.nexhealth.remarks import Remarks
from nexhealth_exporter.nexhealth.retry import Limit, Retries, persist
from nexhealth_exporter.nexhealth.text import scrubbed, spellings
from nexhealth_exporter.nexhealth.token import Authenticator

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
LARGE = 256 * MIB
"""Bytes of the largest answer about all institutions."""

_SMALL_LIMIT = 2.0
"""How many times the timeout of one call a small question may take, retries and waits included."""

OK, REDIRECTED, REFUSED, TOO_MANY_REQUESTS, SERVER_ERROR = 200, 300, 400, 429, 500

_MINUTE = 60.0
_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 300.0
_FIRST_PAUSE = 1.0
_LONGEST_OWN_PAUSE = 60.0
"""Seconds for which a 429 holds every call: what it asks for, or else doubling waits."""

_SHORTEST_SECRET = 8
"""Characters; a shorter one would blot out innocent words, and is no secret."""

_REFUSALS: Mapping[int, type[PollError]] = {
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


class NexHealth:
    """NexHealth's API for one key; an async context manager.

    `url` is where it is, `api_key` gives the key as it is now, `version` goes into
    `Nex-Api-Version`. `timeout` (seconds) limits connecting, each silence while reading, and
    the whole of a call about one institution; retries and their waits may take as long again.
    `clock` gives POSIX seconds, `proxy` leads there if it is given. Every method raises
    leaves of `PollError`.
    """

    def __init__(
        self,
        url: str,
        api_key: Callable[[], str],
        *,
        version: str,
        timeout: float,
        max_concurrency: int,
        pacer: Pacer,
        meter: Meter,
        clock: Callable[[], float] = time.time,
        proxy: str | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._pacer = pacer
        self._meter = meter
        self._clock = clock
        self._retries = Retries()
        self._throttles = 0
        self._remarks = Remarks(self._scrubbed)
        self._known = Inventory({})
        self._have_told: set[str] = set()
        """Endpoints that have told of institutions."""
        self._exchange = Exchange(
            version=version,
            timeout=timeout,
            max_concurrency=max_concurrency,
            pacer=pacer,
            meter=meter,
            proxy=proxy,
        )
        self._authenticator = Authenticator(
            self._authenticate, api_key, clock=clock, on_token=meter.token_expires
        )

    async def __aenter__(self) -> Self:
        await self._exchange.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._exchange.__aexit__(kind, error, traceback)

    @property
    def held_token(self) -> bool:
        """Whether an unexpired token is at hand."""
        return self._authenticator.is_held

    @property
    def token_life(self) -> float:
        """How long (seconds) a token serves before it is replaced: as the latest one does.

        In whole minutes, since tokens for an hour differ by parts of a second.
        """
        return max(_MINUTE, _MINUTE * round(self._authenticator.life / _MINUTE))

    @property
    def calls_sent(self) -> int:
        """How many calls were sent so far: all that may be billed."""
        return self._exchange.calls_sent

    @property
    def patience(self) -> float:
        """How long (seconds) one question may take, retries and a pause included."""
        return LARGE_LIMIT * self._timeout + _LONGEST_PAUSE

    async def inventory(self) -> Inventory:
        """Every institution that the key can see, with its locations and their time zones.

        A key that may use only one of the two endpoints gets what that one tells. What an
        endpoint told once is kept while it is refused or suddenly empty: without zones every
        office would be judged by the clock of the default one. Who is listed no more is gone.
        """
        found: list[list[Institution]] = []
        refused: list[PollError] = []
        for endpoint in ("institutions", "locations"):
            told: list[Institution] = []
            try:
                answer = await self._ask(self._large(endpoint))
            except (Forbidden, NotFound) as error:
                refused.append(error)
                facts = {"endpoint": endpoint, "error": str(error)}
                logger.warning("inventory endpoint refused", extra=facts)
            else:
                told = await payload.institutions(answer, self._rejecting(endpoint))
            if told:
                self._have_told.add(endpoint)
            elif endpoint in self._have_told:
                listed = {one.subdomain for others in found for one in others}
                told = [one for one in self._known if not listed or one.subdomain in listed]
                logger.warning(
                    "inventory endpoint lists no institutions, keeping what it listed before",
                    extra={"endpoint": endpoint},
                )
            found.append(told)
        if len(refused) == len(found):
            raise refused[0]
        self._known = payload.merged(*found)
        return self._known

    async def syncs(self, institution: Institution) -> tuple[Sync, ...]:
        """The syncs of one institution, in the order of the answer."""
        subdomain = quote(institution.subdomain, safe="")
        url = URL(f"{self._url}/sync_status?subdomain={subdomain}", encoded=True)
        answer = await self._ask(Call("sync_status", url, max_bytes=MIB))
        reject = self._rejecting("sync_status", institution.subdomain)
        return await payload.syncs(answer, institution, reject)

    async def fleet(self, inventory: Inventory) -> Mapping[str, tuple[Sync, ...]]:
        """The syncs of all in one call, by subdomain; what the inventory lacks is left out."""
        answer = await self._ask(self._large("sync_status"))
        return await payload.fleet(answer, inventory, self._rejecting("sync_status"))

    def _rejecting(self, endpoint: str, asked_for: str | None = None) -> envelope.Reject:
        """Counts and tells what is left out of an answer, maybe about one institution."""

        def reject(entries: int, why: envelope.Why, institution: str | None) -> None:
            self._meter.rejected(entries)
            self._remarks.rejected(endpoint, entries, why, institution or asked_for)

        return reject

    def _large(self, endpoint: str) -> Call:
        url = URL(f"{self._url}/{endpoint}", encoded=True)
        return Call(endpoint, url, max_bytes=LARGE, is_small=False)

    async def _ask(self, call: Call) -> envelope.Answer:
        """One question; after a 401 it is asked once more with another token."""
        token = await self._authenticator.token()
        try:
            return await self._persist(call, f"Bearer {token.value}")
        except AuthFailed:
            other = await self._authenticator.instead_of(token)
            if other is None:
                raise
        try:
            answer = await self._persist(call, f"Bearer {other.value}")
        except AuthFailed:
            self._authenticator.replaced(other, helped=False)
            raise
        self._authenticator.replaced(other, helped=True)
        return answer

    async def _authenticate(self, key: str) -> str:
        url = URL(f"{self._url}/authenticates", encoded=True)
        try:
            answer = await self._persist(Call("authenticates", url, "POST"), key)
        except PollError as error:
            error.status = None  # of the question that wants the token it says nothing
            raise
        return payload.bearer_token(answer)

    def _persist(self, call: Call, authorization: str) -> Awaitable[envelope.Answer]:
        """The call, and its retries within one time limit."""
        seconds = self._timeout * (_SMALL_LIMIT if call.is_small else LARGE_LIMIT)
        limit = Limit(seconds)
        ask = partial(self._once, call, authorization, limit)
        return persist(ask, limit, self._pacer, self._retries)

    async def _once(self, call: Call, authorization: str, limit: Limit) -> envelope.Answer:
        response = await self._exchange.send(call, authorization, limit.start)
        if response.status == TOO_MANY_REQUESTS:
            self._pause(response.retry_after)
        else:
            self._throttles = 0
        if not OK <= response.status < REDIRECTED:
            raise self._refusal(response)
        if call.endpoint != "authenticates":
            self._blot_out_secrets(response.body, authorization)
        answer = await envelope.piecewise(response.body)
        if not answer.ok:
            said = self._scrubbed(answer.error) or "nothing more"
            raise ServerError(f"The API says code: false, and {said}.", response.status)
        self._remarks.answered(call.endpoint, answer)
        return answer

    def _pause(self, retry_after: str | None) -> None:
        """Hold every call: the limits belong to the key."""
        seconds = seconds_told(retry_after, self._clock())
        if seconds is None:
            if self._pacer.paused_for:
                return  # another call of the same burst has seen to it
            seconds = min(_FIRST_PAUSE * 2.0 ** min(self._throttles, 20), _LONGEST_OWN_PAUSE)
            # Shards of one key are not to come back together.
            seconds *= random.uniform(1.0, 1.5)  # noqa: S311 -- no secret
            self._throttles += 1
        self._pacer.pause(min(max(seconds, _SHORTEST_PAUSE), _LONGEST_PAUSE))

    def _refusal(self, response: Response) -> PollError:
        status = response.status
        if status >= SERVER_ERROR:
            kind: type[PollError] = ServerError
        else:
            kind = _REFUSALS.get(status, OtherFailure)
        meaning = _MEANINGS.get(status, "a redirect is not followed" if status < REFUSED else "")
        text = f"HTTP {status}" + (f": {meaning}" if meaning else "")
        said = self._scrubbed(_said(response.body))
        return kind(f"{text}. The API says: {said}" if said else f"{text}.", status)

    def _blot_out_secrets(self, body: bytearray, authorization: str) -> None:
        """An answer that repeats key or token, as a name maybe, must not bring them anywhere."""
        sent = authorization.removeprefix("Bearer ")
        for spelt in _spelt((sent, *self._authenticator.secrets)):
            if spelt in body:
                body[:] = body.replace(spelt, b"(secret)")

    def _scrubbed(self, words: str) -> str:
        return scrubbed(words, self._authenticator.secrets)


@lru_cache(maxsize=4)
def _spelt(secrets: tuple[str, ...]) -> frozenset[bytes]:
    """How answers may spell them."""
    long = (secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)
    return frozenset().union(*map(spellings, long))


def _said(body: bytearray) -> str:
    """The API's own words about a refusal; nothing of a body that is not the API's."""
    try:
        return envelope.answer(body).error
    except Malformed:
        return ""


def seconds_told(retry_after: str | None, now: float) -> float | None:
    """What Retry-After asks for, in seconds from now; None when it cannot be read."""
    told = (retry_after or "").strip()
    if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", told, re.ASCII):
        return float(told)
    try:
        at = parsedate_to_datetime(told)
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
