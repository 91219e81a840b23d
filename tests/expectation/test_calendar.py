"""Holidays: the library has them, and no more of it is loaded than what is asked for."""

import json
import os
import subprocess
import sys
from typing import Any

PLAIN = """
import json
import holidays
import holidays.countries  # as usual: every country at once

def days(country, state):
    try:
        return {*holidays.country_holidays(country, subdiv=state or None, years=2026)}
    except NotImplementedError:  # the library's word for one that it does not have
        return set()


known = holidays.list_supported_countries()
codes = [*known, *(f"{country}-{state}" for country in known for state in known[country][:2])]
found = {}
for code in [*codes, "XX", "XX-YY", "US-XX", "us"]:
    country, _, state = code.partition("-")
    found[code] = sorted(days(country, "") | days(country, state))
print(json.dumps({"known": known, "days": found}, default=str))
"""

OURS = """
import json, sys
from datetime import date, timedelta
from nexhealth_exporter.expectation.calendar import is_country, states_of, weight

year = [date(2026, 1, 1) + timedelta(n) for n in range(365)]
codes = json.load(sys.stdin)
found = {code: [day for day in year if weight((code,), day) < 1] for code in codes}
known = {code: states_of(code) for code in codes if is_country(code)}
print(json.dumps({"known": known, "days": found}, default=str))
"""

LOADED = """
import json, sys
from datetime import date
from nexhealth_exporter.expectation.calendar import is_country, weight

assert is_country("FR")
assert weight(("US-MA",), date(2026, 12, 25)) == 0
print(json.dumps([name for name in sys.modules if name.startswith("holidays.countries.")]))
"""


SURE = """
import json
from datetime import date
from nexhealth_exporter.expectation.calendar import weight
from nexhealth_exporter.simulator.hours import holiday

days = [date(2026, 11, 11), date(2026, 11, 26), date(2026, 12, 25)]
ours = [weight(("US",), day) for day in days]
print(json.dumps([ours, [holiday("US", day.toordinal()) for day in days]]))
"""


def told(script: str, given: object = None, **environ: str) -> Any:
    """What a fresh process prints."""
    said = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(given),
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(said.stdout)


def test_the_language_of_the_machine_makes_no_holiday_less_sure() -> None:
    """The library would translate their names into Thai."""
    weights, simulated = told(SURE, LANGUAGE="th", LC_ALL="th_TH.UTF-8", LANG="th_TH.UTF-8")

    assert weights == [0.5, 0, 0]
    assert simulated == [
        ["Veterans Day", False], ["Thanksgiving Day", True], ["Christmas Day", True]
    ]  # fmt: skip


def test_no_country_is_loaded_but_the_one_whose_holidays_are_asked_for() -> None:
    assert told(LOADED) == ["holidays.countries.united_states"]


def test_every_country_and_state_has_the_holidays_that_the_whole_library_gives_it() -> None:
    plain = told(PLAIN)
    assert {"US", "USA", "GU", "GB-ENG", "XX"} <= plain["days"].keys()
    assert not plain["days"]["XX"]
    # From the end: some countries are made of others, which come before them in the alphabet.
    ours = told(OURS, [*reversed(plain["days"])])
    assert ours["known"] == plain["known"]
    assert ours["days"] == plain["days"]
