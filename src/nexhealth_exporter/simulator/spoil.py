"""Turns a fault into what the client gets instead of the answer."""

import asyncio
from collections.abc import Iterator, Mapping
from email.utils import formatdate

import msgspec
from aiohttp import web

from nexhealth_exporter.simulator import answers
from nexhealth_exporter.simulator.answers import Json
from nexhealth_exporter.simulator.faults import (
    Body,
    Fault,
    Flood,
    Hang,
    Huge,
    Raw,
    Refusal,
    Reset,
    Slow,
    Stall,
    Status,
    Throttle,
)

_BLOCK = 65536
_ENTRIES_AT_ONCE = 10_000
"""Bytes and entries per write of a streamed answer."""

MEDIA_TYPE = "application/vnd.Nexhealth+json;version=2"


def json_response(
    body: Json, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON response with the media type that the API declares."""
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        headers={"Content-Type": MEDIA_TYPE, **(headers or {})},
    )


def too_many_requests(wait: float | None, now: float, *, as_date: bool) -> web.Response:
    """HTTP 429; `wait` (seconds) goes into Retry-After as whole seconds or as a date."""
    headers = {}
    if wait is not None:
        whole = int(-(-wait // 1))
        date = formatdate(now + whole, usegmt=True)
        headers["Retry-After"] = date if as_date else str(whole)
    return json_response(answers.failure("Too many requests"), 429, headers)


async def spoilt(
    request: web.Request, fault: Fault, now: float, closing: asyncio.Event
) -> web.StreamResponse | None:
    """The faulty response, or None if the request is to be answered as usual.

    A fault that keeps the connection open does so until `closing` or until the client goes away.
    """
    match fault:
        case Slow(seconds):
            await asyncio.sleep(seconds)
            return None
        case Hang() | Reset() | Stall() | Raw() | Huge() | Flood():
            return await _held(request, fault, closing)
        case _:
            return _answered(fault, now)


async def _held(
    request: web.Request, fault: Hang | Reset | Stall | Raw | Huge | Flood, closing: asyncio.Event
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": MEDIA_TYPE})
    match fault:
        case Huge() | Flood():
            return await _stream(request, response, fault)
        case Stall():
            response.content_length = 1000
            await response.prepare(request)
            await response.write(b'{"code": true, "description": null, "data": [')
        case Reset():
            _break(request)
        case Raw(content) if request.transport is not None:
            request.transport.write(content)
            request.transport.close()
        case Hang():
            pass
    await closing.wait()
    _break(request)
    return response


def _break(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _stream(
    request: web.Request, response: web.StreamResponse, fault: Huge | Flood
) -> web.StreamResponse:
    await response.prepare(request)
    for block in _string(fault.size) if isinstance(fault, Huge) else _entries(fault):
        await response.write(block)
    return response


def _string(size: int) -> Iterator[bytes]:
    yield b'{"code": true, "error": null, "description": "'
    block = b"a" * _BLOCK
    for _ in range(size // len(block) + 1):
        yield block
    yield b'", "data": []}'


def _entries(flood: Flood) -> Iterator[bytes]:
    yield b'{"code": true, "error": null, "description": null, "data": ['
    entry = flood.entry + b","
    blocks, rest = divmod(flood.entries - 1, _ENTRIES_AT_ONCE)
    for _ in range(blocks):
        yield entry * _ENTRIES_AT_ONCE
    yield entry * rest + flood.entry
    yield b"]}"


def _answered(fault: Fault, now: float) -> web.Response | None:
    match fault:
        case Status():
            return _status(fault)
        case Throttle(wait, as_date):
            return too_many_requests(wait, now, as_date=as_date)
        case Refusal(errors):
            return json_response(answers.failure(*errors))
        case Body(content, content_type, status):
            headers = {"Content-Type": content_type, **fault.headers}
            return web.Response(body=content, status=status, headers=headers)
        case _:
            return None


def _status(fault: Status) -> web.Response:
    match fault.body:
        case "html":
            text, kind = f"<html><body><h1>{fault.code}</h1></body></html>", "text/html"
        case "text":
            text, kind = f"upstream answered {fault.code}", "text/plain"
        case "empty":
            text, kind = "", "application/octet-stream"
        case _:
            failed = answers.failure(f"Status {fault.code}")
            return json_response(failed, fault.code, fault.headers)
    headers = {"Content-Type": kind, **fault.headers}
    return web.Response(body=text.encode(), status=fault.code, headers=headers)
