"""Retries: after which failures, after what wait, and how many."""

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
"""The most attempts for one question, the first included."""

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 5.0
"""Seconds. A wait is drawn uniformly between 0 and a bound that doubles each time (full jitter)."""

_PRICE = 10
_MOST = 10 * _PRICE
"""The budget in units: a success earns one, a retry costs ten, and ten retries can be saved up."""


class RetryBudget:
    """A budget of retries for all questions together, because calls may be billed.

    It holds ten retries, and each success earns a tenth of one. So retries cease when everything
    fails, and are at most a tenth of the calls in the long run.
    """

    def __init__(self) -> None:
        self._left = _MOST

    def succeeded(self) -> None:
        """A question has been answered."""
        self._left = min(self._left + 1, _MOST)

    def pay_for(self, error: PollError | None) -> bool:
        """Pay for a retry after that failure; False if the budget is used up.

        A retry after a 429 costs nothing, because the pause limits how many there are.
        """
        if isinstance(error, Throttled):
            return True
        if self._left < _PRICE:
            return False
        self._left -= _PRICE
        return True


class Limit:
    """The time limit of one question, retries included.

    It starts when the first call gets its turn, so that time in the queue does not count. That
    call has a limit of its own, which is not longer, so that only retries need a timer.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: float | None = None
        self.failure: PollError | None = None

    def start(self) -> None:
        """The first call gets its turn; later ones change nothing."""
        if self._ends is None:
            self._ends = asyncio.get_running_loop().time() + self._seconds

    @property
    def left(self) -> float:
        """Seconds until it ends."""
        if self._ends is None:
            return self._seconds
        return self._ends - asyncio.get_running_loop().time()

    @asynccontextmanager
    async def enforced(self) -> AsyncIterator[None]:
        """At its end, cancel what runs within, and raise the last failure or else `Timeout`."""
        try:
            async with asyncio.timeout_at(self._ends):
                yield
        except TimeoutError:
            text = f"No answer within {self._seconds:g} s, retries included."
            raise (self.failure or Timeout(text)) from None


async def with_retries(
    ask: Callable[[], Awaitable[_T]],
    limit: Limit,
    pacer: Pacer,
    budget: RetryBudget,
    held: Callable[[float], None],
) -> _T:
    """The result of `ask`, with retries. Raises the last failure.

    `held` is told for how many seconds a retry waits because a failure has a `retry_after`.

    Nearly all first attempts succeed, so tenacity is set up only after a failure; the first
    failure is then handed to it by raising it again.
    """
    try:
        answer = await ask()
    except PollError as error:
        failures = [error]
    else:
        budget.succeeded()
        return answer

    async def again() -> _T:
        if failures:
            raise failures.pop()
        return await ask()

    async with limit.enforced():
        answer = await _retrying(limit, pacer, budget, held)(again)
    budget.succeeded()
    return answer


def _retrying(
    limit: Limit, pacer: Pacer, budget: RetryBudget, held: Callable[[float], None]
) -> "AsyncRetrying":
    """The retries for one question; `reraise` raises the last failure."""
    # Imported late, to keep the start fast: only failures need it.
    from tenacity import AsyncRetrying, retry_if_exception  # noqa: PLC0415
    from tenacity.wait import wait_random_exponential  # noqa: PLC0415

    jitter = wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT)

    def wait(state: "RetryCallState") -> float:
        # The jitter comes on top, so that not all come back together.
        return _retry_after(state) + jitter(state)

    def waits(state: "RetryCallState") -> None:
        if _retry_after(state):
            held(state.upcoming_sleep)

    def gives_up(state: "RetryCallState") -> bool:
        limit.failure = _error(state)
        pause = max(state.upcoming_sleep, pacer.paused_for)
        is_late = state.attempt_number >= ATTEMPTS or pause >= limit.left
        return is_late or not budget.pay_for(limit.failure)

    return AsyncRetrying(
        retry=retry_if_exception(_is_transient),
        wait=wait,
        stop=gives_up,
        before_sleep=waits,
        reraise=True,
    )


def _error(state: "RetryCallState") -> PollError | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error if isinstance(error, PollError) else None


def _retry_after(state: "RetryCallState") -> float:
    error = _error(state)
    return error.retry_after if error is not None else 0.0


def _is_transient(error: BaseException) -> bool:
    """Whether a retry may help: 429, 5xx, timeout, broken connection, but not `code: false`."""
    if isinstance(error, ServerError):
        return error.status is None or error.status >= SERVER_ERROR
    return isinstance(error, Throttled | Timeout | ConnectionFailed)
