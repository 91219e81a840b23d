"""A fault of ours in reading the files again: what was in force stays so, and the log tells."""

import asyncio
from pathlib import Path, PosixPath
from threading import Event
from typing import Any

import pytest

from nexhealth_exporter.cli.exporter import LOOK_SECONDS, Exporter
from nexhealth_exporter.cli.parts import connect, read_files
from nexhealth_exporter.cli.persistence import Persistence
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.model import Institution
from nexhealth_exporter.settings import ApiKey, Settings, load
from tests.compressed import compressed

WEB = "http_server_config: {headers: {X-Frame-Options: sameorigin}}"


class FaultyKey(ApiKey):
    """A key with a fault of ours, which is met when its file is read again."""

    def reread(self) -> None:
        raise LookupError("a fault of ours")


class FaultyPath(PosixPath):
    """A path with a fault of ours."""

    def stat(self, **_: object) -> None:  # type: ignore[override]
        raise LookupError("a fault of ours")


class SlowPath(PosixPath):
    """A file that cannot be read before `released` is set."""

    released = Event()

    def open(self, *args: Any, **named: Any) -> Any:
        assert self.released.wait(10), "nobody else had a turn"
        return super().open(*args, **named)


def exporter_of(settings: Settings, own: OwnMetrics, api_key: ApiKey) -> Exporter:
    return Exporter(
        settings,
        read_files(settings),
        seen={},
        api_key=api_key,
        own=own,
        api=connect(settings, api_key, own),
        persistence=Persistence(None, own),
    )


async def turns(tries: int = 100) -> None:
    """Time for many looks at the files; a thread that looks at one is given real time."""
    for _ in range(tries):
        await asyncio.sleep(LOOK_SECONDS)
        await asyncio.to_thread(lambda: None)


def test_a_fault_in_reading_files_again_changes_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("institutions: [{match: {}, group: east}]")
    settings = load({}, {"NEXHEALTH_EXPORTER_CONFIG_FILE": str(rules)})
    own = OwnMetrics("test")

    async def followed() -> Exporter:
        exporter = exporter_of(settings, own, FaultyKey(settings))
        following = asyncio.create_task(exporter.follow_files())
        await turns()
        assert not following.done()
        following.cancel()
        return exporter

    exporter = compressed(followed())
    assert exporter.files.rules.institutions.items
    assert caplog.text.count("LookupError: a fault of ours") == 1
    page = own.page(frozenset(), openmetrics=False).decode()
    assert "nexhealth_config_last_reload_successful 0.0" in page


def test_a_fault_in_looking_at_files_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    settings = load({}, {}).model_copy(update={"api_key_file": FaultyPath("key")})

    async def followed() -> None:
        exporter = exporter_of(settings, OwnMetrics("test"), ApiKey(settings))
        following = asyncio.create_task(exporter.follow_files())
        await turns()
        assert not following.done()
        following.cancel()

    compressed(followed())
    assert caplog.text.count("LookupError: a fault of ours") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [("CONFIG_FILE", "institutions: [{match: {}, monitored: false}]"), ("WEB_CONFIG_FILE", WEB)],
)
def test_a_file_that_was_emptied_changes_nothing_unless_it_is_meant(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, text: str
) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text)
    settings = load({}, {f"NEXHEALTH_EXPORTER_{name}": str(file)})
    own = OwnMetrics("test")

    async def reloaded() -> None:
        exporter = exporter_of(settings, own, ApiKey(load({}, {"NEXHEALTH_EXPORTER_API_KEY": "k"})))
        before = exporter.files
        for nothing in ("", "\n \n"):
            file.write_text(nothing)
            assert not await exporter.reload()
            assert exporter.files is before
        assert f"{file} is empty, but was not before; write {{}} if that is intended." in (
            record.__dict__["error"] for record in caplog.records
        )
        for meant in ("{}", "# nothing yet"):
            file.write_text(meant)
            assert await exporter.reload()
        assert exporter.files.rules.monitored(Institution("any"))
        assert not exporter.files.web.headers

    asyncio.run(reloaded())


def test_a_fault_in_taking_over_what_was_read_leaves_all_of_it_as_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules, web = tmp_path / "rules.yaml", tmp_path / "web.yaml"
    rules.write_text("institutions: [{match: {}, group: east}]")
    web.write_text("http_server_config: {headers: {X-Frame-Options: deny}}")
    files = {"CONFIG_FILE": str(rules), "WEB_CONFIG_FILE": str(web)}
    settings = load({}, {f"NEXHEALTH_EXPORTER_{name}": path for name, path in files.items()})

    async def reloaded() -> bool:
        exporter = exporter_of(settings, OwnMetrics("test"), ApiKey(settings))
        before = exporter.files
        rules.write_text("institutions: [{match: {}, group: west}]")
        web.write_text("http_server_config: {headers: {X-Frame-Options: sameorigin}}")
        # A fault of ours, which is met where the rules become a policy.
        del settings.__dict__["abandoned_after_seconds"]
        assert not await exporter.reload()
        return exporter.files is before

    assert asyncio.run(reloaded())
    assert "AttributeError" in caplog.text


def test_a_fault_in_learning_from_a_prometheus_ends_nothing_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = load({"prometheus_url": "http://127.0.0.1:9"}, {})

    async def learned() -> None:
        exporter = exporter_of(settings, OwnMetrics("test"), ApiKey(settings))
        # A fault of ours, which is met where the past is judged.
        del settings.__dict__["abandoned_after_seconds"]
        learning = asyncio.create_task(exporter.learn_from_history())
        while not learning.done() and "AttributeError" not in caplog.text:
            await turns(1)
        await turns()
        assert not learning.done()
        learning.cancel()

    compressed(learned())


def test_a_key_from_a_file_is_masked_in_what_is_in_force(tmp_path: Path) -> None:
    rules, key = tmp_path / "rules.yaml", tmp_path / "key"
    rules.write_text("institutions: []  # the key was hunter2#hunter2\n")
    key.write_text("hunter2#hunter2\n")
    settings = load({}, {}).model_copy(update={"config_file": rules, "api_key_file": key})

    async def shown() -> str:
        api_key = ApiKey(settings)
        api_key()
        return exporter_of(settings, OwnMetrics("test"), api_key).view().configuration()

    text = asyncio.run(shown())
    assert "institutions: []  # the key was <secret>\n" in text
    assert "hunter2" not in text


def test_others_have_their_turn_while_files_are_read_again(tmp_path: Path) -> None:
    rules = SlowPath(tmp_path / "rules.yaml")
    Path(rules).write_text("{}")
    settings = load({}, {}).model_copy(update={"config_file": rules})

    async def reloaded() -> bool:
        rules.released.set()
        api_key = ApiKey(load({}, {"NEXHEALTH_EXPORTER_API_KEY": "k"}))
        exporter = exporter_of(settings, OwnMetrics("test"), api_key)
        rules.released.clear()
        reloading = asyncio.create_task(exporter.reload())
        await asyncio.sleep(0)
        rules.released.set()
        return await reloading

    assert asyncio.run(reloaded())
