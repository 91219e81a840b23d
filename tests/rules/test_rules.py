"""Which entry wins for which sync, institution and key."""

from datetime import date
from textwrap import dedent

import pytest

from nexhealth_exporter import rules
from nexhealth_exporter.expectation.allowance import Bounds
from nexhealth_exporter.expectation.schedule import DAY, HOUR
from nexhealth_exporter.model import Institution, IntegrationType, Operation, Severity
from nexhealth_exporter.rules import Rules, SyncRules

SERVER, CLOUD, UNKNOWN = IntegrationType.SERVER, IntegrationType.CLOUD, IntegrationType.UNKNOWN
READ, WRITE = Operation.READ, Operation.WRITE
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
DOWNTOWN = Institution("smile-downtown", id=12)
MOLARS = Institution("molars", id=15)

WHOLE = """
schedules:
  standard:
    hours: {mon-thu: "08:00-17:00", fri: "08:00-13:00"}   # days not named are closed
    lunch: "12:00-13:00"
    holidays: [US]
    closures: ["2026-12-24..2027-01-02"]
  always-on: {hours: {mon-sun: "00:00-24:00"}, holidays: none}
institutions:
  - match: {subdomain: "smile-*", integration_type: server}
    schedule: standard
    timezone: America/Chicago
    group: east-team
  - match: {subdomain: "*-test"}
    monitored: false
  - match: {}
    allowance: {server: {warning: 45m, critical: 4h}, cloud: {read: {warning: 2h..5h}}}
closures:
  - match: {subdomain: smile-downtown}
    days: ["2026-11-27"]
"""


def read(text: str) -> Rules:
    return rules.read(dedent(text), "rules.yaml")


def test_the_whole_file_means_what_it_says() -> None:
    whole = read(WHOLE)
    office = whole.for_sync(DOWNTOWN, ("Dentrix", SERVER))

    assert list(whole.schedules) == ["standard", "always-on"]
    assert whole.schedules["standard"] is office.schedule
    assert office.timezone == "America/Chicago"
    assert ((date(2026, 11, 27), date(2026, 11, 27)),) == office.closures
    assert {
        (SERVER, READ, WARNING): Bounds(2700, 2700),
        (SERVER, READ, CRITICAL): Bounds(4 * HOUR, 4 * HOUR),
        (SERVER, WRITE, WARNING): Bounds(2700, 2700),
        (SERVER, WRITE, CRITICAL): Bounds(4 * HOUR, 4 * HOUR),
        (CLOUD, READ, WARNING): Bounds(2 * HOUR, 5 * HOUR),
    } == office.allowance
    assert whole.group(DOWNTOWN, [("Dentrix", SERVER)]) == "east-team"
    assert whole.monitored(DOWNTOWN)
    assert not whole.monitored(Institution("smile-test"))


def test_an_entry_speaks_only_of_syncs_that_fit_all_its_conditions() -> None:
    cloud = read(WHOLE).for_sync(DOWNTOWN, ("Dentrix", CLOUD))
    other = read(WHOLE).for_sync(MOLARS, ("Dentrix", SERVER))

    assert cloud.schedule is None
    assert cloud.timezone is None
    assert other.schedule is None
    assert other.closures == ()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "schedules: {}\ninstitutions: []\n"])
def test_an_empty_file_says_nothing(text: str) -> None:
    assert SyncRules() == read(text).for_sync(DOWNTOWN, ("Dentrix", SERVER))
    assert read(text).group(DOWNTOWN) == ""
    assert read(text).monitored(DOWNTOWN)


def test_without_a_file_nothing_is_configured() -> None:
    assert SyncRules() == rules.load(None).for_sync(DOWNTOWN, ("Dentrix", SERVER))


def test_for_each_key_the_first_entry_that_has_it_wins() -> None:
    ordered = read("""
        schedules: {early: {hours: {mon: "06:00-12:00"}}, late: {hours: {mon: "12:00-20:00"}}}
        institutions:
          - {match: {subdomain: smile-downtown}, timezone: America/Denver}
          - {match: {subdomain: "smile-*"}, timezone: America/Chicago, schedule: early}
          - {match: {}, schedule: late, group: all}
    """)
    downtown = ordered.for_sync(DOWNTOWN, ("Dentrix", SERVER))
    molars = ordered.for_sync(MOLARS, ("Dentrix", SERVER))

    assert (downtown.timezone, name_of(downtown)) == ("America/Denver", "early")
    assert (molars.timezone, name_of(molars)) == (None, "late")
    assert ordered.group(DOWNTOWN) == "all"


def name_of(sync: SyncRules) -> str | None:
    return sync.schedule.name if sync.schedule else None


def test_monitored_true_can_make_an_exception() -> None:
    mostly_off = read("""
        institutions:
          - {match: {id: 12}, monitored: true}
          - {match: {}, monitored: false}
    """)
    assert mostly_off.monitored(DOWNTOWN)
    assert not mostly_off.monitored(MOLARS)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ("{}", True),
        ("{subdomain: smile-downtown}", True),
        ("{subdomain: smile}", False),
        ('{subdomain: "smile-*"}', True),
        ('{subdomain: "*-down????"}', True),
        ('{subdomain: "[a-r]*"}', False),
        ('{subdomain: "Smile-*"}', False),
        ("{id: 12}", True),
        ("{id: [11, 12]}", True),
        ("{id: [11, 13]}", False),
        ("{emr: Open Dental}", True),
        ("{emr: open dental}", True),
        ("{emr: Open}", False),
        ("{integration_type: server}", True),
        ("{integration_type: cloud}", False),
        ("{subdomain: smile-downtown, id: 12, emr: Open Dental, integration_type: server}", True),
        ("{subdomain: smile-downtown, id: 15}", False),
        ("{subdomain: smile-downtown, emr: Dentrix}", False),
    ],
)
def test_all_conditions_of_a_match_must_fit(match: str, fits: bool) -> None:
    only = read(f"institutions: [{{match: {match}, timezone: America/Denver}}]")
    found = only.for_sync(DOWNTOWN, ("Open Dental", SERVER)).timezone
    assert fits == (found == "America/Denver")


def test_an_institution_without_id_matches_no_id() -> None:
    only = read("institutions: [{match: {id: 12}, group: east}]")
    assert only.group(Institution("smile-downtown")) == ""


def test_each_allowance_is_a_key_of_its_own() -> None:
    merged = read("""
        institutions:
          - {match: {subdomain: "smile-*"}, allowance: {server: {warning: 30m}}}
          - {match: {}, allowance: {server: {warning: 2h, critical: 5h, read: {warning: 1h}}}}
    """).for_sync(DOWNTOWN, ("Dentrix", SERVER))
    half_hour, five_hours = Bounds(1800, 1800), Bounds(5 * HOUR, 5 * HOUR)
    assert {
        (SERVER, READ, WARNING): half_hour,
        (SERVER, WRITE, WARNING): half_hour,
        (SERVER, READ, CRITICAL): five_hours,
        (SERVER, WRITE, CRITICAL): five_hours,
    } == merged.allowance


def test_within_an_entry_the_direction_beats_both() -> None:
    own = read("""
        institutions:
          - match: {}
            allowance:
              unknown: {warning: 2h, read: {warning: 1h}}
    """).for_sync(DOWNTOWN, ("", UNKNOWN))
    assert Bounds(HOUR, HOUR) == own.allowance[UNKNOWN, READ, WARNING]
    assert Bounds(2 * HOUR, 2 * HOUR) == own.allowance[UNKNOWN, WRITE, WARNING]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("45m", 2700), ("4h", 14400), ("2h30m", 9000), ("1d", DAY), ("1d2h3m4s", 93784)],
)
def test_durations_are_written_with_units(text: str, seconds: float) -> None:
    own = read(f"institutions: [{{match: {{}}, allowance: {{server: {{critical: {text}}}}}}}]")
    allowance = own.for_sync(DOWNTOWN, ("Dentrix", SERVER)).allowance
    assert Bounds(seconds, seconds) == allowance[SERVER, READ, CRITICAL]


def test_closures_of_all_entries_that_match_add_up() -> None:
    closed = read("""
        closures:
          - {match: {}, days: ["2026-11-27"]}
          - {match: {subdomain: smile-downtown, integration_type: cloud}, days: ["2026-08-03"]}
          - {match: {id: 12}, days: ["2026-07-01..2026-07-14", "2026-11-27"]}
    """)
    friday = (date(2026, 11, 27), date(2026, 11, 27))
    july = (date(2026, 7, 1), date(2026, 7, 14))
    assert (july, friday) == closed.for_sync(DOWNTOWN, ("Dentrix", SERVER)).closures
    assert (friday,) == closed.for_sync(MOLARS, ("Dentrix", CLOUD)).closures


def test_a_group_by_type_holds_for_an_institution_with_any_such_sync() -> None:
    grouped = read("""
        institutions:
          - {match: {integration_type: cloud, emr: Curve}, group: browsers}
          - {match: {}, group: others}
    """)
    assert grouped.group(DOWNTOWN, [("Dentrix", SERVER), ("Curve", CLOUD)]) == "browsers"
    assert grouped.group(DOWNTOWN, [("Curve", SERVER), ("Dentrix", CLOUD)]) == "others"
    assert grouped.group(DOWNTOWN) == "others"


def test_entries_that_match_nothing_are_told() -> None:
    idle = read("""
        schedules:
          standard: {hours: {mon-fri: "08:00-17:00"}}
          late: {hours: {mon-fri: "12:00-20:00"}}
        institutions:
          - {match: {subdomain: "s*", integration_type: cloud}, schedule: standard}
          - {match: {subdomain: "smile-*"}, group: east}
          - {match: {id: [7, 8]}, group: west}
        closures:
          - {match: {subdomain: smile-uptown}, days: ["2026-11-27"]}
          - {match: {}, days: ["2026-11-27"]}
    """)
    fleet = [(DOWNTOWN, [("Dentrix", SERVER)]), (MOLARS, [("Curve", CLOUD)])]
    assert idle.unmatched(fleet) == (
        "rules.yaml:6: institutions[0] (subdomain s*, integration_type cloud) matches nothing.",
        "rules.yaml:8: institutions[2] (id 7, 8) matches nothing.",
        "rules.yaml:10: closures[0] (subdomain smile-uptown) matches nothing.",
        "rules.yaml: schedules.late is used by no entry.",
    )


CROSSED = """
institutions:
  - {match: {subdomain: "smile-*"}, allowance: {server: {critical: 1h}, cloud: {critical: 8h}}}
  - match: {integration_type: server}
    allowance: {server: {read: {warning: 2h..3h}, write: {warning: 30m}}}
  - {match: {}, allowance: {server: {warning: 1h, critical: 4h}, cloud: {warning: 2h}}}
"""
TOLD = (
    "rules.yaml:4: allowance.server.read warns after 2 h to 3 h, but line 3 pages after 1 h; "
    "the page is delayed until the warning."
)


def test_allowances_of_two_entries_that_let_a_page_come_first_are_told() -> None:
    crossed = read(CROSSED)
    servers = [("Dentrix", SERVER), ("Dentrix", SERVER)]

    assert crossed.out_of_order([(DOWNTOWN, [*servers, ("Curve", CLOUD)])]) == (TOLD,)
    assert crossed.out_of_order([(DOWNTOWN, [("Curve", CLOUD)]), (MOLARS, servers)]) == ()


def test_an_entry_for_each_of_many_institutions_is_found_in_order() -> None:
    named = [f'- {{match: {{subdomain: office-{n}}}, group: "{n}"}}' for n in range(300)]
    entries = [
        '- {match: {subdomain: "office-7*"}, group: sevens}',
        *named,
        "- {match: {}, group: x}",
    ]
    many = read("institutions:\n" + "\n".join(entries))
    assert [many.group(Institution(name)) for name in ("office-77", "office-8", "molars")] == [
        "sevens",
        "8",
        "x",
    ]


def test_a_character_that_json_writes_in_two_halves_is_one() -> None:
    found = rules.read(
        '{"schedules": {"\\ud83e\\uddb7": {"hours": {"mon": "08:00-17:00"}}}, "institutions":'
        ' [{"match": {"subdomain": "smile-\\ud83e\\uddb7"}, "schedule": "\\ud83e\\uddb7"}]}',
        "rules.yaml",
    )

    own = found.for_sync(Institution("smile-\N{TOOTH}"), ("", SERVER))
    assert own.schedule is not None
    assert own.schedule.name == "\N{TOOTH}"
