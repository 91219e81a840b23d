"""The calls: the inventory, the syncs of one institution, the syncs of all institutions."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Self
from urllib.parse import quote

from yarl import URL

from nexhealth_exporter.errors import AuthFailed, Forbidden, NotFound, PollError, ServerError
from nexhealth_exporter.model import Institution, Inventory, Sync
from nexhealth_exporter.nexhealth import payload
from nexhealth_exporter.nexhealth.envelope import Envelope, Reject, Why, decode_piecewise
from nexhealth_exporter.nexhealth.exchange import LARGE_LIMIT, Call, Exchange, Meter
from nexhealth_exporter.nexhealth.pacer import Pacer
from nexhealth_exporter.nexhealth.refusals import refusal
from nexhealth_exporter.nexhealth.remarks import Remarks
from nexhealth_exporter.nexhealth.retry import Limit, RetryBudget, with_retries
from nexhealth_exporter.nexhealth.text import mask_secrets, scrubbed
from nexhealth_exporter.nexhealth.throttling import LONGEST_PAUSE, Throttling
from nexhealth_exporter.nexhealth.token import Authenticator

logger = logging.getLogger(__name__)

_SMALL_LIMIT = 2.0
"""A small question may take so many times the timeout in all, retries and waits included."""

_OK, _REDIRECTED, _TOO_MANY_REQUESTS, _UNAVAILABLE = 200, 300, 429, 503

_MINUTE = 60.0


class NexHealth:
    """NexHealth's API for one key; an async context manager.

    `url` is its base address, `api_key` returns the current key, `version` is sent as
    `Nex-Api-Version`. `timeout` (seconds) limits connecting, each read, and the whole of a call
    about one institution; retries and their waits may take as long again. `clock` gives POSIX
    seconds; all calls go through `proxy`, if there is one. Every method raises leaves of
    `PollError`.
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
        self._throttling = Throttling(pacer, clock)
        self._retry_budget = RetryBudget()
        self._remarks = Remarks(self._scrubbed)
        self._known = Inventory({})
        self._listed_before: set[str] = set()
        """Endpoints that have listed institutions."""
        self._unlisted: Mapping[str, PollError] = {}
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

    async def __aexit__(self, *error: object) -> None:
        await self._exchange.__aexit__(*error)

    @property
    def held_token(self) -> bool:
        """Whether there is a token that has not expired."""
        return self._authenticator.is_held

    @property
    def token_life(self) -> float:
        """How many seconds the latest token is used before it is replaced.

        In whole minutes, since tokens for an hour differ by parts of a second.
        """
        return max(_MINUTE, _MINUTE * round(self._authenticator.life / _MINUTE))

    @property
    def calls_sent(self) -> int:
        """How many calls were sent so far, each of which may be billed."""
        return self._exchange.calls_sent

    @property
    def patience(self) -> float:
        """How many seconds one question may take, retries and a pause included."""
        return LARGE_LIMIT * self._timeout + LONGEST_PAUSE

    @property
    def unlisted(self) -> Sequence[PollError]:
        """Why an endpoint of the latest inventory told nothing; empty if both answered."""
        return tuple(self._unlisted.values())

    def recall(self, inventory: Inventory) -> None:
        """Take over what was known before a restart: its locations are kept while none are told."""
        self._known = inventory
        self._listed_before.add("locations")

    def follow_key(self) -> bool:
        """Renew the token with the next call if the key is another by now; whether it is."""
        return self._authenticator.follow_key()

    async def inventory(self) -> Inventory:
        """Every institution that the key can see, with its locations and their time zones.

        A key that may use only one of the two endpoints gets what that one lists, and so does
        everybody while `/locations` fails in any way: see `unlisted`. What an endpoint listed once
        is kept while it fails or leaves that out: without time zones, offices would be judged by
        the default one. Institutions that are no longer listed at all are removed.
        """
        found: list[list[Institution]] = []
        failed: dict[str, PollError] = {}
        for endpoint in ("institutions", "locations"):
            listed: list[Institution] = []
            try:
                envelope = await self._ask(self._large(endpoint))
                listed = await payload.institutions(envelope, self._rejecting(endpoint))
            except PollError as error:
                if endpoint == "institutions" and not isinstance(error, Forbidden | NotFound):
                    raise  # it may soon tell whom to poll; locations alone may leave out many
                failed[endpoint] = error
            kept = self._kept(endpoint, listed, {one.subdomain for some in found for one in some})
            if listed:
                self._listed_before.add(endpoint)
            elif kept and endpoint not in failed:
                logger.warning(
                    "inventory endpoint lists no institutions, keeping what it listed before",
                    extra={"endpoint": endpoint},
                )
            found.append([*listed, *kept])
        if failed and (len(failed) == len(found) or not any(found)):
            raise next(iter(failed.values()))
        self._note_unlisted(failed)
        self._known = payload.merged(*found)
        return self._known

    def _kept(
        self, endpoint: str, listed: Iterable[Institution], others: set[str]
    ) -> list[Institution]:
        """What is known of institutions that an endpoint listed before and leaves out now.

        `others` are those that are listed elsewhere; who is listed nowhere is gone, unless nobody
        is listed.
        """
        if endpoint not in self._listed_before:
            return []
        told = {one.subdomain for one in listed}
        if not told and not others:
            return list(self._known)
        return [i for i in self._known if i.subdomain in others and i.subdomain not in told]

    def _note_unlisted(self, failed: Mapping[str, PollError]) -> None:
        """Log each failure, as a warning only once until it has another reason or is over."""
        for endpoint, error in failed.items():
            before = self._unlisted.get(endpoint)
            is_new = before is None or before.reason != error.reason
            facts = {"endpoint": endpoint, "reason": error.reason, "error": str(error)}
            level = logging.WARNING if is_new else logging.INFO
            logger.log(level, "inventory incomplete, keeping what is known", extra=facts)
        self._unlisted = failed

    async def syncs(self, institution: Institution) -> tuple[Sync, ...]:
        """The syncs of one institution, in the order of the answer."""
        subdomain = quote(institution.subdomain, safe="")
        url = URL(f"{self._url}/sync_status?subdomain={subdomain}", encoded=True)
        envelope = await self._ask(Call("sync_status", url))
        reject = self._rejecting("sync_status", institution.subdomain)
        return await payload.syncs(envelope, institution, reject, self._known)

    async def fleet(self, inventory: Inventory) -> Mapping[str, tuple[Sync, ...]]:
        """The syncs of the institutions of `inventory` in one call, by subdomain."""
        envelope = await self._ask(self._large("sync_status"))
        return await payload.fleet(envelope, inventory, self._rejecting("sync_status"))

    def _rejecting(self, endpoint: str, asked_for: str | None = None) -> Reject:
        """Counts and logs the entries of an answer that are left out.

        `asked_for` is the subdomain, if the question was about one institution.
        """

        def reject(entries: int, why: Why, institution: str | None) -> None:
            self._meter.rejected(entries)
            self._remarks.rejected(endpoint, entries, why, institution or asked_for)

        return reject

    def _large(self, endpoint: str) -> Call:
        url = URL(f"{self._url}/{endpoint}", encoded=True)
        return Call(endpoint, url, is_small=False)

    async def _ask(self, call: Call) -> Envelope:
        """The answer to one question; after a 401 it is asked once more with another token."""
        token = await self._authenticator.token()
        try:
            return await self._with_retries(call, f"Bearer {token.value}")
        except AuthFailed:
            other = await self._authenticator.instead_of(token)
            if other is None:
                raise
        try:
            envelope = await self._with_retries(call, f"Bearer {other.value}")
        except AuthFailed:
            self._authenticator.replaced(other, helped=False)
            raise
        self._authenticator.replaced(other, helped=True)
        return envelope

    async def _authenticate(self, key: str) -> str:
        url = URL(f"{self._url}/authenticates", encoded=True)
        try:
            envelope = await self._with_retries(Call("authenticates", url, "POST"), key)
        except PollError as error:
            error.status = None  # it is not the status of the question that needs the token
            raise
        return payload.bearer_token(envelope)

    def _with_retries(self, call: Call, authorization: str) -> Awaitable[Envelope]:
        """The answer to a call, with retries within one time limit."""
        seconds = self._timeout * (_SMALL_LIMIT if call.is_small else LARGE_LIMIT)
        limit = Limit(seconds)
        ask = partial(self._once, call, authorization, limit)
        return with_retries(ask, limit, self._pacer, self._retry_budget, self._meter.throttled)

    async def _once(self, call: Call, authorization: str, limit: Limit) -> Envelope:
        response = await self._exchange.send(call, authorization, limit.start)
        if response.status == _TOO_MANY_REQUESTS:
            self._throttling.throttled(response.retry_after)
        else:
            self._throttling.passed()
        if not _OK <= response.status < _REDIRECTED:
            error = refusal(response, self._scrubbed)
            if response.status == _UNAVAILABLE:
                # It may be about one institution, so it holds back no other call, as a 429 does.
                error.retry_after = self._throttling.seconds(response.retry_after) or 0.0
            raise error
        if call.endpoint != "authenticates":
            sent = authorization.removeprefix("Bearer ")
            mask_secrets(response.body, (sent, *self._authenticator.secrets))
        envelope = await decode_piecewise(response.body)
        if not envelope.ok:
            message = self._scrubbed(envelope.error) or "nothing more"
            raise ServerError(f"The API says code: false, and {message}.", response.status)
        self._remarks.answered(call.endpoint, envelope)
        return envelope

    def _scrubbed(self, words: str) -> str:
        return scrubbed(words, self._authenticator.secrets)
