"""Trying again: which failures may pass, after what wait, and how often at most."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from nexhealth_exporter.errors import ConnectionFailed, PollError, ServerError, Throttled, Timeout
from nexhealth_exporter.nexhealth.pacer import Pacer

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

_T = TypeVar("_T")

SERVER_ERROR = 500

ATTEMPTS = 3
"""How often one question is asked at most."""

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 5.0
"""Seconds. The wait is drawn evenly from nothing up to the bound, which doubles (full jitter)."""

_PRICE = 10
_MOST = 10 * _PRICE
"""A retry costs as much as ten successes earn; ten retries can be saved up."""


class Retries:
    """How many retries all questions together may still make, because calls may be billed.

    Ten at once; each success earns a tenth of one. When everything fails, retries
    cease; in the long run they cost a tenth of the calls at most.
    """

    def __init__(self) -> None:
        self._left = _MOST

    def succeeded(self) -> None:
        """A question has been answered."""
        self._left = min(self._left + 1, _MOST)

    def pay_for(self, error: PollError | None) -> bool:
        """Pay for a retry after that failure; False if none is left.

        One after a 429 costs nothing: its pause bounds it.
        """
        if isinstance(error, Throttled):
            return True
        if self._left < _PRICE:
            return False
        self._left -= _PRICE
        return True


class Limit:
    """The time limit of one question, retries included.

    It runs from the moment when the first call has its turn, so that a long queue is no
    fault of the question. That call has a limit of its own, which is no longer: only retries
    need a timer.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: float | None = None
        self.failure: PollError | None = None

    def start(self) -> None:
        """The first call has its turn; later ones change nothing."""
        if self._ends is None:
            self._ends = asyncio.get_running_loop().time() + self._seconds

    @property
    def left(self) -> float:
        """Seconds until it ends."""
        if self._ends is None:
            return self._seconds
        return self._ends - asyncio.get_running_loop().time()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """When it ends, so does what is done meanwhile: by the last failure, else by `Timeout`."""
        try:
            async with asyncio.timeout_at(self._ends):
                yield
        except TimeoutError:
            text = f"No answer within {self._seconds:g} s, retries included."
            raise (self.failure or Timeout(text)) from None


async def persist(
    ask: Callable[[], Awaitable[_T]], limit: Limit, pacer: Pacer, retries: Retries
) -> _T:
    """What `ask` gives, at the first try or a later one. Raises the last failure.

    The law is made only when the first try has failed, and is told of that failure as of any
    other: nearly all first tries succeed.
    """
    try:
        answer = await ask()
    except PollError as error:
        failures = [error]
    else:
        retries.succeeded()
        return answer

    async def again() -> _T:
        if failures:
            raise failures.pop()
        return await ask()

    async with limit.kept():
        answer = await _law(limit, pacer, retries)(again)
    retries.succeeded()
    return answer


def _law(limit: Limit, pacer: Pacer, retries: Retries) -> "AsyncRetrying":
    """The law of retries for one question; `reraise` gives the last failure."""
    # Imported late: the program is to answer before the first question fails.
    from tenacity import AsyncRetrying, retry_if_exception  # noqa: PLC0415
    from tenacity.wait import wait_random_exponential  # noqa: PLC0415

    def is_over(state: "RetryCallState") -> bool:
        limit.failure = _error(state)
        wait = max(state.upcoming_sleep, pacer.paused_for)
        is_late = state.attempt_number >= ATTEMPTS or wait >= limit.left
        return is_late or not retries.pay_for(limit.failure)

    return AsyncRetrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
        stop=is_over,
        reraise=True,
    )


def _error(state: "RetryCallState") -> PollError | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error if isinstance(error, PollError) else None


def _may_pass(error: BaseException) -> bool:
    """A 429, a 5xx, a timeout, a broken connection. `code: false` on a 200 is an answer."""
    if isinstance(error, ServerError):
        return error.status is None or error.status >= SERVER_ERROR
    return isinstance(error, Throttled | Timeout | ConnectionFailed)
