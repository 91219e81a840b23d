"""The API's own shapes: entries of `/sync_status`, `/institutions` and `/locations`."""

from datetime import UTC, datetime
from typing import Any

from nexhealth_exporter.simulator.draws import sixteen
from nexhealth_exporter.simulator.offices import Location, Marks, Office, Sync

READ_RED_AFTER = 150 * 60.0
WRITE_RED_AFTER = 25 * 60.0

Json = dict[str, Any]

_CREATED = "2024-03-05T09:30:00.000Z"
_CITIES = ("Zinnia Hollow", "Quartz Bend", "Umberfield", "Larkspur Gap", "Vesper Landing")


def iso(t: float | None) -> str | None:
    """ISO 8601 with milliseconds and `Z`, as live answers have it."""
    if t is None:
        return None
    return datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def colour(mark: float | None, now: float, red_after: float) -> str:
    """The API's colour for a mark; red if it is older than `red_after` seconds."""
    return "green" if mark is not None and now - mark <= red_after else "red"


def private(location: Location) -> dict[str, str]:
    """The invented address and contacts of a location, which must never leave a client."""
    draw = sixteen(location.id, "private", 0)
    number = int(draw[0] * 9000) + 100
    return {
        "street_address": f"{number} Tamarind-Simulated Street",
        "street_address_2": f"Suite S{int(draw[1] * 900) + 100}-{location.id}",
        "city": _CITIES[int(draw[2] * len(_CITIES))],
        "zip_code": f"{int(draw[3] * 89999) + 10000}-{location.id % 10000:04}",
        "phone_number": f"+1555{location.id % 10_000_000:07}",
        "email": f"frontdesk.{location.id}@office.invalid",
    }


def short_location(location: Location) -> Json:
    """A location as `/sync_status` and `/institutions` show it: no time zone."""
    return {
        "id": location.id,
        "name": location.name,
        **private(location),
        "state": location.state,
        "inactive": location.inactive,
    }


def long_location(office: Office, location: Location) -> Json:
    """A location as `/locations` shows it."""
    return {
        **short_location(location),
        "institution_id": office.id,
        "country_code": location.country,
        "latitude": round(40 + location.id % 7 / 10, 4),
        "longitude": round(-90 + location.id % 11 / 10, 4),
        "foreign_id": "0",
        "foreign_id_type": f"remote_db-{_emr_of(office, location)}-DataSource-{location.id}",
        "tz": location.timezone,
        "last_sync_time": None,
        "insert_appt_client": False,
        "map_by_operatory": True,
        "set_availability_by_operatory": False,
        "specialty": {"id": 1, "name": "Dentistry"},
        "created_at": _CREATED,
        "updated_at": _CREATED,
    }


def _emr_of(office: Office, location: Location) -> str:
    names = [sync.emr.name for sync in office.syncs if location.id in sync.locations]
    return names[0] if names else ""


def institution(office: Office, *, ehr: bool) -> Json:
    """An element of `/institutions`; with `ehr`, in the wording of v3.1.0."""
    return {
        "id": office.id,
        "name": office.name,
        "subdomain": office.subdomain,
        "ehrs" if ehr else "emrs": sorted({sync.emr.name for sync in office.syncs}),
        "country_code": office.country,
        "phone_number": f"+1555{office.id % 10_000_000:07}",
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "appointment_types_location_scoped": False,
        "is_sync_notifications": True,
        "notify_insert_fails": False,
        "locations": [short_location(location) for location in office.locations],
    }


def located(office: Office, *, inactive: bool | None) -> Json:
    """An element of `/locations`: an institution with its locations nested in it."""
    return {
        "id": office.id,
        "name": office.name,
        "subdomain": office.subdomain,
        "locations": [
            long_location(office, location)
            for location in office.locations
            if inactive is None or location.inactive == inactive
        ],
    }


def sync_entry(office: Office, sync: Sync, marks: Marks, now: float, *, ehr: bool) -> Json:
    """An element of `/sync_status`."""
    emr = {"id": sync.emr.id, "name": sync.emr.name, "display_name": sync.emr.display_name}
    if sync.emr.type is not None:
        emr["type"] = sync.emr.type
    return {
        "institution_id": office.id,
        "sync_source_type": "DataSource",
        "sync_source_name": sync.name,
        "ehr" if ehr else "emr": emr,
        "read_status": colour(marks.read, now, READ_RED_AFTER),
        "read_status_at": iso(marks.read),
        "write_status": colour(marks.write, now, WRITE_RED_AFTER),
        "write_status_at": iso(marks.write),
        "locations": [short_location(x) for x in office.locations if x.id in sync.locations],
    }


def success(data: object, count: int | None, ignored: list[str]) -> Json:
    """The envelope of an answer; unknown query parameters are named in `description`."""
    warning = f"The following parameters are ignored: {', '.join(ignored)}." if ignored else None
    return {"code": True, "description": warning, "error": None, "data": data, "count": count}


def failure(*errors: str) -> Json:
    """The envelope of a refusal."""
    return {"code": False, "description": None, "error": list(errors), "data": None, "count": None}
