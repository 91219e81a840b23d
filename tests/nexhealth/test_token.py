"""Tokens: asked for once for all, renewed early, replaced after a 401, never in a storm."""

import asyncio
import logging
import traceback
from base64 import urlsafe_b64encode

import msgspec
import pytest

from nexhealth_exporter.errors import (
    AuthFailed,
    ConfigError,
    ConnectionFailed,
    Forbidden,
    PollError,
    ServerError,
)
from nexhealth_exporter.model import Institution
from nexhealth_exporter.nexhealth import NexHealth
from nexhealth_exporter.nexhealth.token import Authenticator, expiry
from nexhealth_exporter.simulator import Simulator, plain_offices
from nexhealth_exporter.simulator import faults as f
from tests.nexhealth.conftest import Client, Recorder, failure

OFFICES = [Institution(f"office-{n}") for n in (1, 2, 3, 4)]
REFUSED = "HTTP 401: the key or the token was refused. The API says: Invalid API key"
NOW = 1_790_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


async def ask_all(nexhealth: NexHealth) -> list[object]:
    return await asyncio.gather(*(nexhealth.syncs(o) for o in OFFICES), return_exceptions=True)


def jwt(**claims: object) -> str:
    payload = urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("token", "expires"),
    [
        (jwt(exp=NOW + 3600), NOW + 3600),
        (jwt(exp=NOW + 86_400, iat=NOW - 5), NOW + 86_400),
        (jwt(exp=str(int(NOW) + 60)), NOW + 60),
        (jwt(exp=NOW + 90_000, iat=NOW + 86_400), NOW + 3600),
        (jwt(exp=NOW - 90_000, iat=NOW - 93_600), NOW + 3600),
        (jwt(exp=NOW - 1), NOW + 3600),
        (jwt(exp=10, iat=0), NOW + 10),
        (jwt(exp=None), NOW + 3600),
        (jwt(exp=True), NOW + 3600),
        (jwt(exp=1e300), NOW + 3600),
        (jwt(exp=[1], iat={}), NOW + 3600),
        (jwt(sub="1"), NOW + 3600),
        ("opaque", NOW + 3600),
        ("a.b.c", NOW + 3600),
        ("a.\u00fc.c", NOW + 3600),
        ("a.W1tb.c", NOW + 3600),
        ("..", NOW + 3600),
    ],
)
def test_expiry_is_what_the_token_says_or_else_an_hour(token: str, expires: float) -> None:
    assert expiry(token, NOW) == expires


async def test_all_who_ask_at_once_share_one_authentication(
    sim: Simulator, nexhealth: NexHealth, meter: Recorder
) -> None:
    assert not nexhealth.held_token
    sim.faults["/authenticates"] = f.Slow(0.1)
    await ask_all(nexhealth)
    assert sim.traffic.count("authenticates") == 1
    assert nexhealth.held_token
    assert len(meter.expiries) == 1


async def test_a_token_is_renewed_after_nine_tenths_of_its_life(
    client: Client, meter: Recorder
) -> None:
    clock = Clock()
    async with (
        Simulator(plain_offices(4), clock=clock) as sim,
        client(sim.url, clock=clock) as nexhealth,
    ):
        await ask_all(nexhealth)
        clock.now += 3230
        await ask_all(nexhealth)
        assert sim.traffic.count("authenticates") == 1
        clock.now += 20
        await ask_all(nexhealth)
        assert sim.traffic.count("authenticates") == 2
        assert sim.traffic.count("sync_status", 401) == 0
        assert meter.expiries == [NOW + 3600, NOW + 3250 + 3600]
        clock.now += 3601
        assert not nexhealth.held_token


async def test_a_token_that_cannot_be_renewed_is_used_until_it_expires(client: Client) -> None:
    clock = Clock()
    async with (
        Simulator(plain_offices(4), clock=clock) as sim,
        client(sim.url, clock=clock) as nexhealth,
    ):
        await ask_all(nexhealth)
        sim.faults["/authenticates"] = f.Status(403)
        clock.now += 3300
        assert all(isinstance(answer, tuple) for answer in await ask_all(nexhealth))
        assert sim.traffic.count("authenticates") == 2
        clock.now += 301
        assert all(isinstance(answer, Forbidden) for answer in await ask_all(nexhealth))


async def test_a_key_that_is_refused_for_days_is_tried_every_five_minutes_as_before() -> None:
    clock, asked = Clock(), []

    async def refuse(key: str) -> str:
        asked.append(key)
        raise Forbidden("HTTP 403", 403)

    authenticator = Authenticator(refuse, lambda: "key", clock=clock, on_token=lambda _: None)
    for _ in range(4 * 288):
        clock.now += 300
        assert isinstance(await failure(authenticator.token()), Forbidden)

    assert len(asked) == 4 * 288


async def test_a_refused_token_is_replaced_once_for_all(
    sim: Simulator, nexhealth: NexHealth
) -> None:
    for revocations in (1, 2):
        await ask_all(nexhealth)
        sim.tokens.revoke()
        assert all(isinstance(answer, tuple) for answer in await ask_all(nexhealth))
        assert sim.traffic.count("authenticates") == 1 + revocations


async def test_a_second_401_in_a_row_is_a_failure(sim: Simulator, nexhealth: NexHealth) -> None:
    sim.faults["office-1"] = f.Status(401)
    error = await failure(nexhealth.syncs(OFFICES[0]))
    assert type(error) is AuthFailed
    assert error.status == 401
    assert sim.traffic.count("sync_status") == 2
    assert sim.traffic.count("authenticates") == 2


async def test_an_office_that_always_says_401_makes_no_storm(client: Client) -> None:
    clock = Clock()
    async with Simulator(plain_offices(4), clock=clock) as sim:
        sim.faults["office-1"] = f.Status(401)
        async with client(sim.url, clock=clock) as nexhealth:
            for _ in range(60):
                answers = await ask_all(nexhealth)
                assert [type(a) for a in answers] == [AuthFailed, tuple, tuple, tuple]
                clock.now += 10
        # Ten minutes: each replacement that does not help doubles the time to the next.
        assert sim.traffic.count("authenticates") <= 12


async def test_calls_that_are_refused_together_put_off_the_next_token_as_one(
    client: Client,
) -> None:
    clock = Clock()
    async with (
        Simulator(plain_offices(4), clock=clock) as sim,
        client(sim.url, clock=clock) as nexhealth,
    ):
        for office in OFFICES:
            sim.faults[office.subdomain] = f.Status(401)
        assert {type(answer) for answer in await ask_all(nexhealth)} == {AuthFailed}
        sim.faults.clear()
        sim.tokens.revoke()
        clock.now += 2
        assert [type(answer) for answer in await ask_all(nexhealth)] == [tuple] * 4


async def test_tokens_that_nobody_accepts_make_no_storm(client: Client) -> None:
    clock = Clock()
    async with Simulator(plain_offices(4), clock=clock) as sim:
        for office in OFFICES:
            sim.faults[office.subdomain] = f.Status(401)
        async with client(sim.url, clock=clock) as nexhealth:
            for _ in range(30):
                answers = await ask_all(nexhealth)
                assert {type(answer) for answer in answers} == {AuthFailed}
                clock.now += 10
        assert sim.traffic.count("authenticates") <= 12


async def test_a_refused_key_is_told_to_all_and_asked_about_ever_less_often(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    async with (
        Simulator(plain_offices(4), clock=clock, api_key="another") as sim,
        client(sim.url, clock=clock) as nexhealth,
    ):
        for _ in range(360):
            answers = await ask_all(nexhealth)
            assert {type(answer) for answer in answers} == {AuthFailed}
            clock.now += 10
            assert not nexhealth.held_token
        assert 12 <= sim.traffic.count("authenticates") <= 26
        assert sim.traffic.count("sync_status") == 0
        warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
        assert len(warnings) == sim.traffic.count("authenticates")


async def test_a_rotated_key_is_used_at_once_even_after_a_refusal(
    sim: Simulator, client: Client
) -> None:
    keys = ["old"]
    async with client(sim.url, api_key=lambda: keys[-1]) as nexhealth:
        assert type(await failure(nexhealth.syncs(OFFICES[0]))) is AuthFailed
        assert type(await failure(nexhealth.syncs(OFFICES[0]))) is AuthFailed
        assert sim.traffic.count("authenticates") == 1
        keys.append("simulated-key\n")
        assert await nexhealth.syncs(OFFICES[0])


async def test_the_key_is_read_when_a_token_is_asked_for_and_not_with_each_poll(
    sim: Simulator, client: Client
) -> None:
    keys = ["simulated-key"]
    async with client(sim.url, api_key=keys.pop) as nexhealth:
        answers = [*await ask_all(nexhealth), *await ask_all(nexhealth)]
    assert all(isinstance(answer, tuple) for answer in answers)


async def test_the_token_of_a_key_that_was_replaced_is_renewed_although_it_still_works(
    sim: Simulator, client: Client
) -> None:
    keys = ["simulated-key"]
    async with client(sim.url, api_key=lambda: keys[-1]) as nexhealth:
        await ask_all(nexhealth)
        nexhealth.follow_key()
        await ask_all(nexhealth)
        assert sim.traffic.count("authenticates", 201) == 1
        for key in ("unknown", "simulated-key\n"):
            keys.append(key)
            nexhealth.follow_key()
            for _ in range(2):
                assert all(isinstance(answer, tuple) for answer in await ask_all(nexhealth))
        # The unknown key was refused once, and the old token was used meanwhile.
        assert sim.traffic.count("authenticates", 401) == 1
        assert sim.traffic.count("authenticates", 201) == 2
        assert sim.traffic.count("sync_status", 401) == 0


async def test_a_key_that_is_replaced_while_the_old_one_is_under_way_is_followed() -> None:
    keys, asked = ["old"], []

    async def grant(key: str) -> str:
        asked.append(key)
        if key == "old":
            keys.append("new")
            assert authenticator.follow_key()
        return jwt(exp=NOW + 3600, key=key)

    authenticator = Authenticator(grant, lambda: keys[-1], clock=Clock(), on_token=lambda _: None)
    await authenticator.token()
    for _ in range(2):
        assert (await authenticator.token()).value == jwt(exp=NOW + 3600, key="new")
    assert asked == ["old", "new"]


async def test_a_key_that_cannot_be_read_or_sent_is_told_without_asking(
    sim: Simulator, client: Client
) -> None:
    def missing() -> str:
        raise ConfigError("the file is gone")

    def unreadable() -> str:
        raise FileNotFoundError(2, "No such file", "/run/secrets/key")

    for key in (missing, unreadable, lambda: "", lambda: "two\nlines", lambda: "schl\u00fcssel"):
        async with client(sim.url, api_key=key) as nexhealth:
            error = await failure(nexhealth.syncs(OFFICES[0]))
        assert type(error) is AuthFailed
        assert "schl" not in str(error)
    assert not sim.traffic.calls


@pytest.mark.parametrize(
    ("fault", "kind"), [(f.Status(500), ServerError), (f.Reset(), ConnectionFailed)]
)
async def test_authenticating_is_tried_again_when_that_may_help(
    sim: Simulator, nexhealth: NexHealth, fault: f.Fault, kind: type[PollError]
) -> None:
    sim.faults["/authenticates"] = f.First(2, fault)
    assert await nexhealth.syncs(OFFICES[0])
    assert sim.traffic.count("authenticates") == 3
    sim.tokens.revoke()
    sim.faults["/authenticates"] = fault
    assert type(await failure(nexhealth.syncs(OFFICES[0]))) is kind
    assert sim.traffic.count("authenticates") == 6
    assert not nexhealth.held_token


async def test_key_and_token_are_never_shown(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "sk_live_planted_key"
    async with (
        Simulator(plain_offices(4), api_key=key) as sim,
        client(sim.url, api_key=lambda: key) as nexhealth,
    ):
        await nexhealth.syncs(OFFICES[0])
        token = sim.tokens.issue(NOW)
        echo = f.Refusal((f"key {key}", f"token {token}", "street Tamarind"))
        shown = [repr(nexhealth)]
        for fault in (echo, f.Status(401), f.Status(500), f.Hang(), f.Reset()):
            sim.faults["office-1"] = fault
            asking = asyncio.wait_for(nexhealth.syncs(OFFICES[0]), 1.5)
            with pytest.raises((PollError, TimeoutError)) as caught:
                await asking
            shown += ["".join(traceback.format_exception(caught.value)), repr(caught.value)]
        seen = sim.traffic.counts
    shown += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    text = "\n".join(shown)
    assert "(secret)" in text
    assert key not in text
    assert token not in text
    assert token.split(".")[1] not in text
    assert len(seen) > 3


SPELLINGS = (
    r"sk_live/planted+key&more=",
    r"sk_live\/planted+key&more=",
    r"sk_live/planted+key\u0026more=",
    r"sk_live\/planted\u002Bkey\u0026more=",
    r"sk_live/planted\u002bkey\u0026more\u003d",
)


@pytest.mark.parametrize("spelt", SPELLINGS)
async def test_a_key_is_blotted_out_however_json_spells_it(client: Client, spelt: str) -> None:
    key = SPELLINGS[0]
    entry = b'{"code": true, "data": [{"institution_id": 1, "sync_source_name": "SD %b"}]}'
    async with (
        Simulator(plain_offices(1), api_key=key) as sim,
        client(sim.url, api_key=lambda: key) as nexhealth,
    ):
        sim.faults["office-1"] = f.Body(entry % spelt.encode())
        (sync,) = await nexhealth.syncs(OFFICES[0])
    assert sync.name == "SD (secret)"
