"""The silence command as an operator pastes it: a real shell, amtool and Alertmanager."""

import asyncio
import os
from pathlib import Path

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.report.remedy import silence_command
from nexhealth_exporter.report.row import rows
from tests.alerts.tools import ALERTMANAGER, alertmanager
from tests.e2e.processes import binary
from tests.fleet.conftest import SERVER, World, marked

CONFIGURATION = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
NAMES = ("Main", 'O\'Neil "main" \\ $(id) `id` !x', "two\nlines {a=~b}, c", "\u202eDB é 歯")


@pytest.mark.parametrize("generation", ALERTMANAGER)
async def test_it_silences_that_sync_and_no_other(tmp_path: Path, generation: str) -> None:
    world = World()
    now = 4_000_000_000.0
    for number, name in enumerate(NAMES):
        sync = altered(marked(SERVER, now - 9 * 86400), name=name)
        world.poll(now, sync, institution=f"smiles-{number}")
    commands = [silence_command(row, row.sync) for row in rows(world.fleet, now) if row.sync]
    folder = binary(generation, "amtool").parent

    async with alertmanager(tmp_path, generation, CONFIGURATION) as server:
        for command in commands:
            shell = await asyncio.create_subprocess_shell(
                f"{command} --author=tester --alertmanager.url={server.url}",
                env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
            )
            assert await shell.wait() == 0
        async with server.session.get(f"{server.url}/api/v2/silences") as answer:
            silences = await answer.json()

    found = {
        tuple(sorted((m["name"], m["value"], m["isEqual"], m["isRegex"]) for m in s["matchers"]))
        for s in silences
    }
    assert found == {
        (("institution", f"smiles-{number}", True, False), ("sync", name, True, False))
        for number, name in enumerate(NAMES)
    }
