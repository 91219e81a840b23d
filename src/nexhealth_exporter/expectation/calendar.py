"""Which local dates are holidays, and how sure it is that an office rests on them."""

import sys
from datetime import date
from functools import lru_cache
from importlib.util import find_spec, module_from_spec
from types import ModuleType

SURE_IN_THE_US = frozenset(
    {
        "New Year's Day",
        "Memorial Day",
        "Independence Day",
        "Independence Day (observed)",
        "Labor Day",
        "Thanksgiving Day",
        "Christmas Day",
    }
)
"""On the other national days most offices work, so those count half."""

_LANGUAGE = "en_US"
"""Of these names. A country that is not told in it keeps its own, which are not looked at."""

ORDINARY, HALF, REST = 1.0, 0.5, 0.0


def weight(codes: tuple[str, ...], day: date) -> float:
    """The factor on the expectation of that local date: 1 ordinary, 0.5 half, 0 sure rest.

    Codes are of a country ("US", "USA") or a country and its state ("US-MA"), as the
    holidays library has them; an unknown code has no holidays. A state's own days are
    sure, since somebody configured them.
    """
    return min((_weights(code, day.year).get(day, ORDINARY) for code in codes), default=ORDINARY)


@lru_cache(maxsize=1024)
def _weights(code: str, year: int) -> dict[date, float]:
    country, _, state = code.partition("-")
    national = _named(country, None, year)
    weights = {day: _national_weight(country, name) for day, name in national.items()}
    if state:
        own = _named(country, state, year)
        weights |= {day: REST for day in own if day not in national}
    return weights


def _named(country: str, state: str | None, year: int) -> dict[date, str]:
    find = _library().country_holidays
    try:
        # Else the machine's language would decide what the sure ones are called.
        return dict(find(country, subdiv=state, years=year, language=_LANGUAGE))
    except NotImplementedError:
        # The library's word for a country or state that it does not have.
        return {}


def is_country(code: str) -> bool:
    """Whether the holidays of that country are known."""
    return code in _library().registry.EntityLoader.get_country_codes()


def states_of(country: str) -> tuple[str, ...]:
    """The states of that country, which is known, that have holidays of their own."""
    return tuple(getattr(_library(), country).subdivisions)


def _library() -> ModuleType:
    """The holidays library, kept from importing more than the countries that are asked for.

    Each has a module of its own, but their package imports all 250, which takes 40 to 80 ms and
    7 MiB. A package object that was never executed serves as well.
    """
    # Imported late: it takes long, and the program is to answer before its first poll.
    import holidays  # noqa: PLC0415

    package = "holidays.countries"
    if package not in sys.modules and (spec := find_spec(package)) is not None:
        sys.modules[package] = module_from_spec(spec)
    return holidays


def _national_weight(country: str, name: str) -> float:
    if country not in {"US", "USA"}:
        return REST
    return REST if SURE_IN_THE_US.intersection(name.split("; ")) else HALF
