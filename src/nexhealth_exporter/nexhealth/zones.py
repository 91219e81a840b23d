"""Time zones as the API may spell them."""

import sys

from nexhealth_exporter.nexhealth.scalars import text
from nexhealth_exporter.nexhealth.text import shortened

_RAILS = {
    "Alaska": "America/Juneau",
    "Arizona": "America/Phoenix",
    "Atlantic Time (Canada)": "America/Halifax",
    "Central Time (US & Canada)": "America/Chicago",
    "Eastern Time (US & Canada)": "America/New_York",
    "Hawaii": "Pacific/Honolulu",
    "Indiana (East)": "America/Indiana/Indianapolis",
    "Mountain Time (US & Canada)": "America/Denver",
    "Newfoundland": "America/St_Johns",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Puerto Rico": "America/Puerto_Rico",
    "Saskatchewan": "America/Regina",
}
"""Ruby on Rails has zone names of its own; these are those of North America."""


def zone(value: object) -> str | None:
    """The IANA name of a zone that has a Rails name, else the name as it is; None if empty."""
    name = sys.intern(shortened(text(value)))
    return _RAILS.get(name, name) or None
