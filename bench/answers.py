"""What large answers cost: seconds, the longest hold of the event loop, memory.

    python bench/answers.py

Prints a line for each; every one is measured in a process of its own.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

from nexhealth_exporter.errors import PollError
from nexhealth_exporter.model import Institution, Inventory
from nexhealth_exporter.nexhealth import envelope, payload

MIB = 1024 * 1024
LOCATION = {
    "id": 7,
    "name": "Default",
    "street_address": "12 Elm Street",
    "street_address_2": "",
    "city": "Springfield",
    "state": "NY",
    "zip_code": "10001",
    "phone_number": "+15550100",
    "email": "desk@office.invalid",
    "inactive": False,
}
SYNC = {
    "sync_source_type": "DataSource",
    "sync_source_name": "SD #1",
    "emr": {"id": 11, "name": "dentrix", "display_name": "Dentrix", "type": "onprem"},
    "read_status": "green",
    "read_status_at": "2026-03-02T14:05:00.000Z",
    "write_status": "green",
    "write_status_at": "2026-03-02T14:05:00.000Z",
    "locations": [LOCATION],
}


def fleet(syncs: int) -> bytearray:
    """An answer about so many institutions with one sync each."""
    data = [{"institution_id": number, **SYNC} for number in range(syncs)]
    return bytearray(json.dumps({"code": True, "data": data}, separators=(",", ":")).encode())


def flood(entry: bytes, values: int) -> bytearray:
    """An answer with so many values."""
    marks = sum(map(entry.count, (b",", b"[", b"{"))) + 1
    entries = (entry + b",") * (values // marks - 1)
    return bytearray(b'{"code":true,"data":[' + entries + entry + b"]}")


ANSWERS: dict[str, Callable[[], bytearray]] = {
    "fleet of 10,000 syncs": lambda: fleet(10_000),
    "fleet of 50,000 syncs": lambda: fleet(50_000),
    "fleet of 150,000 syncs": lambda: fleet(150_000),
    "4.9 million numbers": lambda: flood(b"1", 4_900_000),
    "200,000 tiny syncs of one institution": lambda: flood(b'{"institution_id":1}', 400_000),
    "100 million numbers": lambda: flood(b"1", 100_000_000),
}


async def measured(name: str) -> str:
    """One answer, read as the exporter reads it."""
    body = ANSWERS[name]()
    inventory = Inventory({f"i{n}": Institution(f"i{n}", id=n) for n in range(150_000)})
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    longest, turn = 0.0, time.perf_counter()

    async def others() -> None:
        nonlocal longest, turn
        while True:
            now = time.perf_counter()
            longest, turn = max(longest, now - turn), now
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(others())
    began = time.perf_counter()
    try:
        found = await payload.fleet(envelope.answer(body), inventory, lambda _: None)
        outcome = f"{sum(map(len, found.values()))} syncs"
    except PollError as error:
        outcome = error.reason
    seconds = time.perf_counter() - began
    await asyncio.sleep(0)
    beside.cancel()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    return (
        f"{name}: {len(body) / MIB:.0f} MiB, {outcome}, {seconds:.2f} s, "
        f"holds the loop {longest:.2f} s, {grown:.0f} MiB beside the body"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(asyncio.run(measured(sys.argv[1])))
    else:
        for each in ANSWERS:
            subprocess.run((sys.executable, __file__, each), check=True)
