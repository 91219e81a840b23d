"""An event loop on which a month passes in seconds, although what is sent is really sent."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

_ON_THE_WIRE = 0.05
"""Real seconds without a sign of life after which an answer counts as not coming."""


class _Jump(selectors.DefaultSelector):
    """Instead of waiting for a timer, time goes on by as much; what is sent takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.is_busy: Callable[[], bool] = lambda: False

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if ready := super().select(0):
            return ready
        if self.is_busy() and (ready := super().select(_ON_THE_WIRE)):
            return ready
        self.now += timeout
        return []


class CompressedTime(asyncio.SelectorEventLoop):
    """Its clock counts from 0 and jumps from timer to timer."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now

    def shutdown_default_executor(
        self,
        timeout: float | None = None,  # noqa: ARG002 - named as Python 3.12 and newer name it
    ) -> Coroutine[Any, Any, None]:
        """Threads take real time, of which a limit in this loop's time would leave none."""
        return super().shutdown_default_executor()

    def busy_while(self, is_busy: Callable[[], bool]) -> None:
        """While this holds bytes are on their way: they arrive before time goes on."""
        self._jump.is_busy = is_busy


def compressed(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on a loop of its own."""
    with asyncio.Runner(loop_factory=CompressedTime) as runner:
        return runner.run(work)
