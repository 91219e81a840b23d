"""Places of simulated offices: zones from UTC-11 to UTC+14, the US ones first."""

from datetime import date
from typing import NamedTuple

from nexhealth_exporter.simulator.hours import holiday
from nexhealth_exporter.simulator.wallclock import day_of, midnight

_HOUR = 3600.0
_SATURDAY = 5
_EVES = frozenset({"12-24", "12-31"})


class Place(NamedTuple):
    """A time zone, the country whose holidays apply, and a state if there is one."""

    zone: str
    country: str
    state: str = ""

    def day(self, t: float) -> int:
        """The local day (ordinal) at that instant."""
        return day_of(self.zone, t)

    def hour(self, t: float) -> float:
        """Hours since local midnight."""
        return (t - midnight(self.zone, self.day(t))) / _HOUR

    def weekday(self, t: float) -> int:
        """0 is Monday."""
        return date.fromordinal(self.day(t)).weekday()


US = (
    Place("America/New_York", "US", "NY"),
    Place("America/Chicago", "US", "TX"),
    Place("America/Denver", "US", "CO"),
    Place("America/Los_Angeles", "US", "CA"),
    Place("America/Phoenix", "US", "AZ"),
    Place("America/Anchorage", "US", "AK"),
    Place("Pacific/Honolulu", "US", "HI"),
)

WORLD = (
    *US,
    Place("America/Puerto_Rico", "PR"),
    Place("Pacific/Pago_Pago", "AS"),
    Place("Pacific/Gambier", "PF"),
    Place("Pacific/Pitcairn", "PN"),
    Place("America/Costa_Rica", "CR"),
    Place("America/Halifax", "CA", "NS"),
    Place("America/Toronto", "CA", "ON"),
    Place("America/Vancouver", "CA", "BC"),
    Place("America/Mexico_City", "MX"),
    Place("America/Bogota", "CO"),
    Place("America/Sao_Paulo", "BR"),
    Place("America/Argentina/Buenos_Aires", "AR"),
    Place("America/Noronha", "BR"),
    Place("Atlantic/Azores", "PT"),
    Place("Atlantic/Cape_Verde", "CV"),
    Place("Africa/Accra", "GH"),
    Place("Africa/Lagos", "NG"),
    Place("Europe/London", "GB"),
    Place("Europe/Dublin", "IE"),
    Place("Europe/Berlin", "DE"),
    Place("Europe/Madrid", "ES"),
    Place("Europe/Stockholm", "SE"),
    Place("Europe/Athens", "GR"),
    Place("Africa/Johannesburg", "ZA"),
    Place("Africa/Nairobi", "KE"),
    Place("Asia/Dubai", "AE"),
    Place("Asia/Karachi", "PK"),
    Place("Asia/Dhaka", "BD"),
    Place("Asia/Bangkok", "TH"),
    Place("Asia/Singapore", "SG"),
    Place("Asia/Tokyo", "JP"),
    Place("Asia/Seoul", "KR"),
    Place("Asia/Manila", "PH"),
    Place("Asia/Jakarta", "ID"),
    Place("Australia/Brisbane", "AU", "QLD"),
    Place("Pacific/Noumea", "NC"),
    Place("Pacific/Fiji", "FJ"),
    Place("Pacific/Auckland", "NZ"),
    Place("Pacific/Tongatapu", "TO"),
    Place("Pacific/Kiritimati", "KI"),
)

FURTHER = tuple(
    Place(zone, country)
    for country, zone in (
        ("AT", "Europe/Vienna"),
        ("AU", "Australia/Sydney"),
        ("BE", "Europe/Brussels"),
        ("BG", "Europe/Sofia"),
        ("CH", "Europe/Zurich"),
        ("CL", "America/Santiago"),
        ("CN", "Asia/Shanghai"),
        ("CY", "Asia/Nicosia"),
        ("CZ", "Europe/Prague"),
        ("DK", "Europe/Copenhagen"),
        ("EC", "America/Guayaquil"),
        ("EG", "Africa/Cairo"),
        ("FI", "Europe/Helsinki"),
        ("FR", "Europe/Paris"),
        ("GE", "Asia/Tbilisi"),
        ("HK", "Asia/Hong_Kong"),
        ("HR", "Europe/Zagreb"),
        ("HU", "Europe/Budapest"),
        ("IL", "Asia/Jerusalem"),
        ("IN", "Asia/Kolkata"),
        ("IS", "Atlantic/Reykjavik"),
        ("IT", "Europe/Rome"),
        ("KH", "Asia/Phnom_Penh"),
        ("KZ", "Asia/Almaty"),
        ("LK", "Asia/Colombo"),
        ("LT", "Europe/Vilnius"),
        ("LV", "Europe/Riga"),
        ("MA", "Africa/Casablanca"),
        ("MY", "Asia/Kuala_Lumpur"),
        ("NL", "Europe/Amsterdam"),
        ("NO", "Europe/Oslo"),
        ("PE", "America/Lima"),
        ("PL", "Europe/Warsaw"),
        ("RO", "Europe/Bucharest"),
        ("SI", "Europe/Ljubljana"),
        ("SK", "Europe/Bratislava"),
        ("TR", "Europe/Istanbul"),
        ("TW", "Asia/Taipei"),
        ("UA", "Europe/Kyiv"),
        ("UY", "America/Montevideo"),
        ("VN", "Asia/Ho_Chi_Minh"),
    )
)
"""More countries, used only if none of the others has a holiday."""


def where_it_is(now: float, earliest: float, latest: float) -> Place:
    """The first place whose local time is between two hours of the day, at least one apart.

    The zones lie an hour apart and go around the whole day, so there always is one.
    """
    return next(place for place in WORLD if earliest <= place.hour(now) <= latest)


def where_they_pause(now: float) -> Place | None:
    """A place where it is early afternoon; None if it has a holiday or only half a day of work."""
    place = where_it_is(now, 13, 15)
    today = holiday(place.country, place.day(now))
    rests = today is not None and today[1]
    return None if rests or date.fromordinal(place.day(now)).strftime("%m-%d") in _EVES else place


def where_it_is_weekend(now: float) -> Place | None:
    """A place with a local Saturday or Sunday, the nearest to noon; None from Monday to Friday."""
    resting = [place for place in WORLD if place.weekday(now) >= _SATURDAY]
    return min(resting, key=lambda place: abs(place.hour(now) - 12), default=None)


def where_it_is_holiday(now: float) -> tuple[Place, str] | None:
    """A place where all offices are closed for a national holiday today, and the holiday's name."""
    for place in WORLD + FURTHER:
        today = holiday(place.country, place.day(now))
        if today is not None and today[1]:
            return place, today[0]
    return None
