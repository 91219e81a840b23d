"""A poller that goes on from the last answers before a restart."""

import asyncio

from msgspec.structs import replace as altered

from nexhealth_exporter.model import Answer
from nexhealth_exporter.policy import policy
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.simulator import plain_offices
from nexhealth_exporter.simulator.faults import Hang, Status
from tests.poller.conftest import DAY, DEFAULTS, Open
from tests.poller.test_poller import next_round, running, until


async def answers_of(polling: Open, offices: int) -> list[Answer]:
    """What is known after a round, as the state keeps it."""
    async with polling(plain_offices(offices)) as polled:
        fleet = await polled.poller.once()
    return [answer for standing in fleet if (answer := standing.answer) is not None]


async def test_what_was_known_is_so_while_nobody_answers(polling: Open) -> None:
    answers = await answers_of(polling, 5)
    async with polling((), answers=answers, interval=0.3) as polled:
        for endpoint in ("/authenticates", "/institutions", "/sync_status"):
            polled.simulator.faults[endpoint] = Status(500)
        async with running(polled):
            await until(lambda: [s.answer for s in polled.fleet] == answers)
            assert not (await next_round(polled)).is_up
            assert all(standing.failure for standing in polled.fleet)
            assert [s.answer for s in polled.fleet] == answers


async def test_polls_go_on_though_the_inventory_hangs(polling: Open) -> None:
    answers = await answers_of(polling, 5)
    async with polling(plain_offices(5), answers=answers, limit=60.0, interval=0.3) as polled:
        polled.simulator.faults["/institutions"] = Hang()
        async with running(polled):
            last = max(answer.at for answer in answers)
            await until(
                lambda: sum((s.last_success or 0) > last for s in polled.fleet) == len(answers)
            )


async def test_an_answer_that_would_not_be_served_any_more_is_not(polling: Open) -> None:
    fresh, old, ahead = await answers_of(polling, 3)
    told = [altered(old, at=old.at - DAY - 60), fresh, altered(ahead, at=ahead.at + DAY)]
    async with polling((), answers=told, limit=60.0, interval=20.0) as polled:
        polled.simulator.faults["/institutions"] = Hang()
        async with running(polled):
            await until(lambda: any(s.answer for s in polled.fleet))
            await asyncio.sleep(0.1)
            assert [s.answer for s in polled.fleet] == [None, fresh, None]


async def test_who_has_gone_meanwhile_goes_with_the_inventory(polling: Open) -> None:
    answers = await answers_of(polling, 5)
    again = polling(plain_offices(3), answers=answers, interval=0.3)
    async with again as polled, running(polled):
        await next_round(polled)
        assert len(polled.fleet.standings) == 3


async def test_who_is_not_watched_any_more_does_not_come_back(polling: Open) -> None:
    answers = await answers_of(polling, 3)
    async with polling((), answers=answers, interval=20.0) as polled:
        polled.simulator.faults["/institutions"] = Hang()
        polled.poller.reload(policy(Rules(), DEFAULTS), lambda i: i.subdomain != "office-2")
        async with running(polled):
            await until(lambda: any(s.answer for s in polled.fleet))
            assert list(polled.fleet.standings) == ["office-1", "office-3"]


async def test_an_inventory_that_fails_at_the_start_is_tried_again_soon(polling: Open) -> None:
    answers = await answers_of(polling, 2)
    async with polling(plain_offices(4), answers=answers, interval=0.3) as polled:
        polled.simulator.faults["/institutions"] = Status(500)
        polled.simulator.faults["/locations"] = Status(500)
        async with running(polled):
            await until(lambda: polled.fleet.round is not None)
            polled.simulator.faults.clear()
            await until(lambda: len(polled.fleet.standings) == 4)


async def test_a_shard_of_another_number_knows_nobody_and_says_so(polling: Open) -> None:
    answers = await answers_of(polling, 2)
    async with polling(plain_offices(4), answers=answers, interval=0.3) as polled:
        polled.simulator.faults["/institutions"] = Status(500)
        polled.simulator.faults["/locations"] = Status(500)
        polled.poller.reload(policy(Rules(), DEFAULTS), lambda i: i.subdomain > "office-2")
        async with running(polled):
            assert not (await next_round(polled)).is_up
            polled.simulator.faults.clear()
            await until(lambda: list(polled.fleet.standings) == ["office-3", "office-4"])
            assert (await next_round(polled)).is_up
