"""A simulated NexHealth: a real HTTP server with the API's shapes, headers and refusals.

async with Simulator(plain_offices(3), api_key="key") as sim:
    ...  # ask sim.url
    sim.offices["office-1"].freeze("read")     # an outage of one direction
    sim.faults["office-2"] = Hang()
    await sim.go_away(); await sim.come_back() # on the same port
    assert sim.traffic.count("sync_status", 200) == 3
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from aiohttp import web

from nexhealth_exporter.simulator import answers
from nexhealth_exporter.simulator.answers import Json
from nexhealth_exporter.simulator.faults import Absent, Edit, Entry, Fault, First, InTurn
from nexhealth_exporter.simulator.live import LiveOffice
from nexhealth_exporter.simulator.offices import Office
from nexhealth_exporter.simulator.spoil import json_response, spoilt, too_many_requests
from nexhealth_exporter.simulator.tokens import Tokens
from nexhealth_exporter.simulator.traffic import Call, SlidingLimit, Traffic

VERSIONS = frozenset({"v3.0.0", "v20240412", "v3.1.0"})
"""The values of `Nex-Api-Version` that are served; v2 is refused by name."""

_KNOWN_PARAMETERS: Mapping[str, frozenset[str]] = {
    "authenticates": frozenset(),
    "institutions": frozenset(),
    "locations": frozenset(
        {"subdomain", "inactive", "foreign_id", "filter_by_subscription_feature"}
    ),
    "sync_status": frozenset({"subdomain", "location_ids[]", "read_status", "write_status"}),
}
_NO_ACCESS = "You don't have access to perform this action."
_OLD_VERSION = "API version 'v2' is below the minimum allowed"
_BATCH = 250
"""Offices whose entries are built before the event loop gets its turn."""


class _Refused(Exception):
    """The request ends here with this answer."""

    def __init__(self, response: web.StreamResponse) -> None:
        self.response = response


class Simulator:
    """The server; an async context manager that listens while it is open.

    `clock` is the time for offices and tokens (POSIX seconds). `per_second` and `per_minute` are
    limits per sliding window, None for none; `retry_after` is how a 429 gives the wait: `seconds`,
    `date` or None. `headers` are added to every answer. Everything may be changed while it runs.
    """

    def __init__(
        self,
        offices: Iterable[Office],
        *,
        api_key: str = "simulated-key",
        clock: Callable[[], float] = time.time,
        host: str = "127.0.0.1",
        port: int = 0,
        token_lifetime: float = 3600.0,
        per_second: int | None = 100,
        per_minute: int | None = 2000,
        retry_after: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.api_key = api_key
        self.clock = clock
        self.offices: dict[str, LiveOffice] = {}
        for office in offices:
            self.add(office)
        self.host = host
        self.port = port
        self.tokens = Tokens(token_lifetime)
        self.retry_after = retry_after
        self.faults: dict[str, Fault] = {}
        self.headers: dict[str, str] = {}
        self.traffic = Traffic()
        self._ssl = ssl_context
        self._limits: list[SlidingLimit] = []
        self.limit(per_second, per_minute)
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()

    # What a test may do to it.

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host or "localhost"
        return f"{'https' if self._ssl else 'http'}://{host}:{self.port}"

    def add(self, office: Office) -> LiveOffice:
        """Add an institution, or replace the one with the same subdomain."""
        self.offices[office.subdomain] = LiveOffice(office, self._now)
        return self.offices[office.subdomain]

    def remove(self, subdomain: str) -> None:
        """Remove an institution."""
        del self.offices[subdomain]

    def limit(self, per_second: int | None, per_minute: int | None) -> None:
        """Set new rate limits; earlier requests do not count against them."""
        windows = ((per_second, 1.0), (per_minute, 60.0))
        self._limits = [SlidingLimit(number, span) for number, span in windows if number]

    async def go_away(self) -> None:
        """Stop listening and close every connection."""
        if self._runner is not None:
            self._closing.set()
            await self._runner.cleanup()
            self._runner = None

    async def come_back(self) -> None:
        """Listen again, on the same port."""
        self._closing = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        app.on_response_prepare.append(self._add_headers)
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await runner.setup()
        site = web.TCPSite(
            runner, self.host, self.port, ssl_context=self._ssl, reuse_address=True, backlog=4096
        )
        await site.start()
        self.port = runner.addresses[0][1]
        self._runner = runner

    def _now(self) -> float:
        return self.clock()

    async def __aenter__(self) -> Self:
        await self.come_back()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.go_away()

    async def _add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self.headers)

    # How it answers.

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        endpoint = request.path.strip("/")
        subdomain = request.query.get("subdomain")
        at = time.monotonic()
        status = 0
        self.traffic.arrived()
        try:
            response = await self._answer(request, endpoint, subdomain)
            status = response.status
        except _Refused as refusal:
            status = refusal.response.status
            return refusal.response
        else:
            return response
        finally:
            self.traffic.left(Call(at, endpoint, subdomain, status))

    async def _answer(
        self, request: web.Request, endpoint: str, subdomain: str | None
    ) -> web.StreamResponse:
        fault = self._fault(endpoint, subdomain)
        if fault is not None:
            response = await spoilt(request, fault, self.clock(), self._closing)
            if response is not None:
                return response
        self._check_rate()
        if endpoint == "authenticates":
            return self._authenticate(request)
        ehr = self._check_version(request) == "v3.1.0"
        self._check_token(request)
        if request.method != "GET" or endpoint not in _KNOWN_PARAMETERS:
            return json_response(answers.failure("Not Found"), 404)
        if subdomain is not None and subdomain not in self.offices:
            return json_response(answers.failure(_NO_ACCESS), 403)
        chosen = list(self.offices.values()) if subdomain is None else [self.offices[subdomain]]
        data: list[Entry]
        match endpoint:
            case "institutions":
                data = [answers.institution(live.office, ehr=ehr) for live in self.offices.values()]
            case "locations":
                inactive = request.query.get("inactive")
                wanted = None if inactive is None else inactive == "true"
                data = [answers.located(live.office, inactive=wanted) for live in chosen]
            case _:
                data = await self._entries(request, chosen, ehr=ehr, alone=subdomain is not None)
        ignored = sorted(set(request.query) - _KNOWN_PARAMETERS[endpoint])
        return json_response(answers.success(data, len(data), ignored))

    async def _entries(
        self, request: web.Request, chosen: list[LiveOffice], *, ehr: bool, alone: bool
    ) -> list[Entry]:
        now = self.clock()
        wanted = _filter(request)
        data: list[Entry] = []
        for number, live in enumerate(chosen, 1):
            fault = self.faults.get(live.office.subdomain)
            if isinstance(fault, Absent) and not alone:
                continue
            entries: list[Entry] = [e for e in live.entries(now, ehr=ehr) if wanted(e)]
            data += fault.change(entries) if isinstance(fault, Edit) else entries
            if number % _BATCH == 0:
                await asyncio.sleep(0)
        return data

    def _authenticate(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            return json_response(answers.failure("Not Found"), 404)
        if request.headers.get("Authorization") != self.api_key:
            return json_response(answers.failure("Invalid API key"), 401)
        body = {
            "code": True,
            "description": "Authenticated",
            "error": [],
            "data": {"token": self.tokens.issue(self.clock())},
            "count": None,
        }
        return json_response(body, 201)

    def _check_rate(self) -> None:
        at = time.monotonic()
        if any(limit.full(at) for limit in self._limits):
            wait = max(limit.frees_in(at) for limit in self._limits)
            told = None if self.retry_after is None else wait
            as_date = self.retry_after == "date"
            raise _Refused(too_many_requests(told, self.clock(), as_date=as_date))
        for limit in self._limits:
            limit.let(at)

    @staticmethod
    def _check_version(request: web.Request) -> str:
        version = request.headers.get("Nex-Api-Version", "")
        old = "version=2" in request.headers.get("Accept", "") and not version
        if old or version == "v2":
            raise _Refused(json_response(answers.failure(_OLD_VERSION), 403))
        if version not in VERSIONS:
            raise _Refused(json_response(answers.failure("Not Found"), 404))
        return version

    def _check_token(self, request: web.Request) -> None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not self.tokens.good(token, self.clock()):
            raise _Refused(json_response(answers.failure("Not authorized"), 401))

    # How it fails.

    def _fault(self, endpoint: str, subdomain: str | None) -> Fault | None:
        for key in (subdomain, f"/{endpoint}", "*"):
            if key is None or key not in self.faults:
                continue
            match self.faults[key]:
                case First() as first:
                    first.times -= 1
                    if first.times >= 0:
                        return first.fault
                case InTurn() as turn:
                    turn.calls += 1
                    return turn.faults[(turn.calls - 1) % len(turn.faults)]
                case fault:
                    return fault
        return None


def _filter(request: web.Request) -> Callable[[Json], bool]:
    """Tells whether an entry matches `location_ids[]`, `read_status` and `write_status`."""
    try:
        locations = {int(text) for text in request.query.getall("location_ids[]", [])}
    except ValueError:
        raise _Refused(json_response(answers.failure("location_ids is invalid"), 400)) from None
    colours = [(key, request.query.get(key)) for key in ("read_status", "write_status")]

    def wanted(entry: Json) -> bool:
        served = {location["id"] for location in entry["locations"]}
        return (not locations or not locations.isdisjoint(served)) and all(
            colour in {None, entry[key]} for key, colour in colours
        )

    return wanted
