"""Answers as the API gives them, and what the parser makes of them."""

import asyncio
import json
from typing import Any

from hypothesis import strategies as st

from nexhealth_exporter.model import (
    Institution,
    Sync,
)
from nexhealth_exporter.nexhealth import envelope, payload

OFFICE = Institution("office", id=1)
LISTED = (OFFICE, Institution("other", id=2))
"""The institutions of the inventory."""

AT = "2026-03-02T14:05:00.000Z"
POSIX = 1772460300.0

ENTRY: dict[str, Any] = {
    "institution_id": 1,
    "sync_source_type": "DataSource",
    "sync_source_name": "SD #1",
    "emr": {"id": 11, "name": "dentrix", "display_name": "Dentrix", "type": "onprem"},
    "read_status": "green",
    "read_status_at": AT,
    "write_status": "red",
    "write_status_at": "2026-03-02T14:04:00Z",
    "locations": [
        {
            "id": 7,
            "name": "Default",
            "street_address": "12 Elm Street",
            "city": "Springfield",
            "state": "ny",
            "zip_code": "10001",
            "phone_number": "+15550100",
            "email": "desk@office.invalid",
            "inactive": False,
        }
    ],
}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*ENTRY, "id", "name", "type", "ehr", "tz"]), inner)
    ),
    max_leaves=20,
)


def entry(**changes: Any) -> dict[str, Any]:
    return {**ENTRY, **changes}


def body(data: Any, **envelope: Any) -> bytes:
    return json.dumps({"code": True, "error": None, "data": data, **envelope}).encode()


class Rejected:
    def __init__(self) -> None:
        self.entries = 0
        self.told: list[tuple[int, envelope.Why, str | None]] = []

    def __call__(self, entries: int, why: envelope.Why, institution: str | None) -> None:
        self.entries += entries
        self.told.append((entries, why, institution))


def read(
    answer: bytes, institution: Institution = OFFICE, rejected: envelope.Reject | None = None
) -> tuple[Sync, ...]:
    async def work() -> tuple[Sync, ...]:
        found = envelope.decode(answer)
        return await payload.syncs(found, institution, rejected or Rejected(), LISTED)

    return asyncio.run(work())


def one(**changes: Any) -> Sync:
    (sync,) = read(body([entry(**changes)]))
    return sync
