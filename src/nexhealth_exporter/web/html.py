"""The Jinja environment: every value escaped, every instant shown with its time zone."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nexhealth_exporter import __version__
from nexhealth_exporter.expectation.zone import moment
from nexhealth_exporter.formatting import duration, rfc3339, when
from nexhealth_exporter.report import Condition, why
from nexhealth_exporter.report.pattern import sentence
from nexhealth_exporter.report.remedy import closure_line, next_step, silence_command, still_working
from nexhealth_exporter.report.row import CALM
from nexhealth_exporter.report.silence import stretch
from nexhealth_exporter.report.story import DOING, FAILURES, KINDS, REASONS, brief
from nexhealth_exporter.web.links import api_path, institution_path, with_query
from nexhealth_exporter.web.week import week

CONDITIONS = {
    Condition.OVERDUE_CRITICAL: "Overdue, critical",
    Condition.OVERDUE_WARNING: "Overdue, warning",
    Condition.LATE: "Late",
    Condition.UNKNOWN: "Unknown",
    Condition.NO_SYNC: "No sync",
    Condition.FRESH: "Fresh",
    Condition.RESTING: "Resting",
    Condition.ABANDONED: "Abandoned",
    Condition.INACTIVE: "Inactive",
}

MEANINGS = {
    Condition.OVERDUE_CRITICAL: "pages somebody",
    Condition.OVERDUE_WARNING: "opens a ticket",
    Condition.LATE: "silent, still tolerated",
    Condition.FRESH: "refreshing",
    Condition.RESTING: "silent as expected",
    Condition.UNKNOWN: "not known when they last moved",
    Condition.NO_SYNC: "nothing is installed there yet",
    Condition.ABANDONED: "silent for so long that they are not evaluated",
    Condition.INACTIVE: "no location in use, not evaluated",
}

MAIN_CONDITIONS = (
    Condition.OVERDUE_CRITICAL,
    Condition.OVERDUE_WARNING,
    Condition.LATE,
    Condition.FRESH,
    Condition.RESTING,
)
"""Always shown, and large; the other conditions only if a sync is in them."""


@cache
def _environment() -> Environment:
    """The templates of this package, with the filters and words that they use."""
    loaded = Environment(
        loader=PackageLoader(__package__ or ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    loaded.filters.update(
        capitalised=lambda text: text[:1].upper() + text[1:],
        duration=duration,
        when=_when,
        both=_both,
        utc=_utc,
        why=why,
        brief=brief,
        step=next_step,
    )
    loaded.globals.update(
        version=__version__,
        condition_words=CONDITIONS,
        condition_meanings=MEANINGS,
        calm=CALM,
        main_conditions=MAIN_CONDITIONS,
        reason_words=REASONS,
        doing=DOING,
        still_working=still_working,
        kind_words=KINDS,
        failure_words=FAILURES,
        institution_path=institution_path,
        api_path=api_path,
        with_query=with_query,
        stretch=stretch,
        week=week,
        sentence=sentence,
        silence_command=silence_command,
        closure_line=closure_line,
        moment=moment,
    )
    return loaded


def render(name: str, **values: Any) -> str:  # noqa: ANN401 - templates take anything
    """The page of that template."""
    return _environment().get_template(name).render(**values)


def _when(at: float, zone: str, now: float) -> Markup:
    """The instant, short, in that zone; UTC on hover and for machines."""
    return _time(at, when(at, zone, now), f"{moment(at, 'UTC'):%a %d %b %Y %H:%M:%S} UTC")


def _both(at: float, zone: str) -> Markup:
    """The instant in full in that zone, and beside it in UTC."""
    local, utc = moment(at, zone), moment(at, "UTC")
    there = f"{local:%a} {local.day} {local:%b %H:%M:%S}"
    beside = f"{utc:%a %H:%M:%S} UTC" if local.date() != utc.date() else f"{utc:%H:%M:%S} UTC"
    return _time(at, there, f"{local:%Y-%m-%d %H:%M:%S %Z}") + Markup(
        ' <span class="utc">{}</span>'
    ).format(beside)


def _utc(at: float) -> Markup:
    return _time(at, f"{moment(at, 'UTC'):%a %d %b %Y, %H:%M:%S} UTC", rfc3339(at))


def _time(at: float, text: str, title: str) -> Markup:
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        rfc3339(at), escape(title), text
    )
