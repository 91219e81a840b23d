"""Entries of one institution and the syncs they become."""

from typing import Any

import pytest

from nexhealth_exporter.errors import Malformed
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Location,
    Sync,
)
from tests.nexhealth.answers import ENTRY, POSIX, Rejected, body, entry, one, read


def test_the_documented_entry_becomes_a_sync() -> None:
    assert one() == Sync(
        name="SD #1",
        integration_type=IntegrationType.SERVER,
        emr="Dentrix",
        read_at=POSIX,
        write_at=POSIX - 60,
        read_up=True,
        write_up=False,
        locations=(Location(7),),
    )


@pytest.mark.parametrize("mark", [None, "", "soon", 0, [], "0000-00-00T00:00:00Z"])
def test_a_mark_that_is_null_or_unreadable_is_not_known(mark: object) -> None:
    assert one(read_status_at=mark).read_at is None
    assert one(read_status_at=mark).write_at == POSIX - 60


def test_a_mark_that_is_missing_is_not_known() -> None:
    told = entry()
    del told["read_status_at"], told["write_status_at"]
    (sync,) = read(body([told]))
    assert (sync.read_at, sync.write_at) == (None, None)


@pytest.mark.parametrize("year", ["0001", "2999", "9999"])
def test_a_mark_in_the_future_or_in_the_year_1_is_kept_as_it_is(year: str) -> None:
    at = one(read_status_at=f"{year}-03-02T14:05:00Z").read_at
    assert at is not None
    assert (at > POSIX) == (year != "0001")


@pytest.mark.parametrize(
    ("colour", "is_up"),
    [
        ("green", True),
        ("GREEN", True),
        (" Red ", False),
        ("red", False),
        ("yellow", None),
        ("", None),
        (None, None),
        (1, None),
        (True, None),
        ([], None),
        ({"green": 1}, None),
    ],
)
def test_a_colour_is_green_or_red_in_any_case_and_nothing_else(
    colour: object, is_up: bool | None
) -> None:
    assert one(read_status=colour).read_up is is_up
    assert one(write_status=colour).write_up is is_up


@pytest.mark.parametrize(
    ("emr", "name", "kind"),
    [
        ({"name": "x", "display_name": "X", "type": "cloud"}, "X", IntegrationType.CLOUD),
        ({"name": "x", "display_name": "X", "type": "OnPrem"}, "X", IntegrationType.SERVER),
        ({"name": "x", "type": "cloud"}, "x", IntegrationType.CLOUD),
        ({"name": "dentrix", "display_name": None}, "dentrix", None),
        ({"name": "dentrix", "type": "hybrid"}, "dentrix", None),
        ({"name": "newcomer"}, "newcomer", None),
        ({"id": 5}, "", None),
        ({}, "", None),
        (None, "", None),
        ("eaglesoft", "eaglesoft", None),
        ([], "", None),
        (7, "7", None),
    ],
)
def test_the_product_and_where_it_runs(
    emr: object, name: str, kind: IntegrationType | None
) -> None:
    sync = one(emr=emr)
    assert (sync.emr, sync.integration_type) == (name, kind)


@pytest.mark.parametrize(
    ("emr", "likely"),
    [
        ({"name": "dentrix"}, IntegrationType.SERVER),
        ({"name": "curve2", "display_name": "Curve", "type": ""}, IntegrationType.CLOUD),
        ("Eaglesoft", IntegrationType.SERVER),
        ({"name": "newcomer"}, None),
        ({"name": "dentrix", "type": "hybrid"}, None),
        ({"name": "dentrix", "type": "cloud"}, None),
    ],
)
def test_where_a_product_usually_runs_is_told_for_want_of_a_type(
    emr: object, likely: IntegrationType | None
) -> None:
    assert one(emr=emr).likely_type is likely


@pytest.mark.parametrize("emr", [{}, {"emr": None}, {"emr": {}}])
def test_ehr_is_read_where_emr_is_missing(emr: dict[str, Any]) -> None:
    told = {k: v for k, v in ENTRY.items() if k != "emr"} | emr | {"ehr": ENTRY["emr"]}
    (sync,) = read(body([told]))
    assert (sync.emr, sync.integration_type) == ("Dentrix", IntegrationType.SERVER)


@pytest.mark.parametrize("locations", [None, [], "none", 7, {}, [None, 1, "x", [], {}]])
def test_a_sync_without_usable_locations_is_a_sync(locations: object) -> None:
    assert one(locations=locations).locations == ()


def test_one_bad_location_spoils_only_itself() -> None:
    told = [{"id": "7", "inactive": "true"}, 5, {"id": None}, {"id": 8, "tz": 3}, {"id": 7}]
    assert one(locations=told).locations == (Location(7), Location(8, "3"))


def test_a_location_may_belong_to_several_syncs() -> None:
    first, second = read(body([entry(), entry(sync_source_name="SD #2")]))
    assert first.locations == second.locations


def test_inactive_locations_are_known_as_such() -> None:
    assert one(locations=[{"id": 7, "inactive": True}]).inactive
    assert not one(locations=[{"id": 7, "inactive": True}, {"id": 8}]).inactive


def test_locations_are_those_of_the_inventory_unless_the_entry_says_that_one_is_not_in_use() -> (
    None
):
    inventory = (Location(7, "America/Denver"), Location(8, "America/Denver", inactive=True))
    office = Institution("office", id=1, locations=inventory)
    told = [{"id": 7}, {"id": 8, "inactive": True}]

    def locations(*told: object) -> tuple[Location, ...]:
        (sync,) = read(body([entry(locations=told)]), office)
        return sync.locations

    assert locations(*told) is inventory
    assert locations(told[0])[0] is inventory[0]
    assert locations({"id": 7, "inactive": True}) == (Location(7, inactive=True),)
    assert locations({"id": 8}, {"id": 9}) == (Location(8), Location(9))


def test_two_syncs_of_one_name_stay_apart() -> None:
    twins = [entry(), entry(locations=[{"id": 9}, {"id": 3}]), entry()]
    assert [s.name for s in read(body(twins))] == ["SD #1 #7", "SD #1 #3", "SD #1 #7 ~2"]


def test_an_institution_without_a_sync_has_none() -> None:
    assert read(body([])) == ()


def test_entries_of_other_institutions_are_left_out() -> None:
    told = [entry(), entry(institution_id=2), entry(institution_id=None)]
    assert len(read(body(told))) == 2
    with pytest.raises(Malformed, match="other institutions"):
        read(body([entry(institution_id=2)]))
    assert len(read(body(told), Institution("office", id=None))) == 3


def test_entries_that_cannot_be_read_are_counted_and_spoil_no_other() -> None:
    rejected = Rejected()
    found = read(body([None, entry(), 7, entry(sync_source_name="B")]), rejected=rejected)
    assert [sync.name for sync in found] == ["SD #1", "B"]
    assert rejected.entries == 2


@pytest.mark.parametrize(
    "told", [{}, {"locations": [{"id": 7}]}, {"locations": None, "read_status": "purple"}]
)
def test_an_entry_that_says_nothing_of_a_sync_is_rejected(told: dict[str, Any]) -> None:
    rejected = Rejected()
    with pytest.raises(Malformed):
        read(body([told]), rejected=rejected)
    assert rejected.entries == 1


@pytest.mark.parametrize(
    "told",
    [
        {"institution_id": 1},
        {"sync_source_name": "SD"},
        {"emr": {"name": "dentrix"}},
        {"read_status_at": ENTRY["read_status_at"]},
        {"write_status": "green", "locations": [{"id": 7}]},
    ],
)
def test_an_entry_that_says_anything_of_a_sync_is_taken(told: dict[str, Any]) -> None:
    rejected = Rejected()
    assert len(read(body([told]), rejected=rejected)) == 1
    assert rejected.entries == 0


@pytest.mark.parametrize(("sent", "surplus"), [(1000, 0), (1001, 1), (1003, 3)])
def test_more_syncs_than_any_office_has_are_cut_and_counted(sent: int, surplus: int) -> None:
    rejected = Rejected()
    found = read(body([entry(sync_source_name=f"S{n}") for n in range(sent)]), rejected=rejected)
    assert [sync.name for sync in found] == [f"S{n}" for n in range(1000)]
    assert rejected.entries == surplus


def test_an_answer_about_other_institutions_only_is_malformed() -> None:
    with pytest.raises(Malformed, match=r"^The answer is about other institutions\.$"):
        read(body([entry(institution_id=2)]))


def test_an_institution_that_was_created_anew_is_read_by_its_new_id() -> None:
    anew = [entry(institution_id=3), entry(institution_id=3, sync_source_name="B")]
    assert [sync.name for sync in read(body(anew))] == ["SD #1", "B"]
    with pytest.raises(Malformed, match="other institutions"):
        read(body([*anew, entry(institution_id=4)]))  # an answer about the whole fleet


def test_nothing_personal_becomes_a_value() -> None:
    shown = repr(one())
    for private in ("Elm", "Springfield", "10001", "0100", "desk@"):
        assert private not in shown
