"""A restart while NexHealth does not answer."""

import re
import signal
from pathlib import Path

import pytest

from nexhealth_exporter.simulator import Simulator, plain_offices
from tests.e2e.processes import PROGRAM, free_port, get, running, until

pytestmark = pytest.mark.e2e

KEPT = re.compile(
    r"^nexhealth_(?:sync_(?:last|read_deadline|write_deadline|read_up|info)"
    r"|institution_(?:info|last_poll|syncs)|institutions).*$",
    re.MULTILINE,
)
"""What does not depend on the instant."""


@pytest.mark.parametrize(
    ("told", "by", "code"),
    [
        ("nexhealth_up 1", signal.SIGTERM, 0),
        # Saved as soon as the first round is over: what kills within the minute may do so again.
        (r"nexhealth_state_last_save_timestamp_seconds \S+", signal.SIGKILL, -signal.SIGKILL),
    ],
    ids=["stopped", "killed"],
)
async def test_who_is_overdue_stays_so_over_a_restart_while_the_api_is_down(
    tmp_path: Path, told: str, by: signal.Signals, code: int
) -> None:
    port = free_port()
    env = {
        "NEXHEALTH_EXPORTER_LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "NEXHEALTH_EXPORTER_STATE_FILE": str(tmp_path / "state.db"),
        "NEXHEALTH_EXPORTER_POLL_INTERVAL_SECONDS": "300",
        "NEXHEALTH_EXPORTER_API_KEY": "simulated-key",
    }

    async def page(holds: str) -> str:
        _, text = await get(f"http://127.0.0.1:{port}/metrics")
        return text if re.search(rf"^{holds}(\.0)?$", text, re.MULTILINE) else ""

    async with Simulator(plain_offices(4), per_second=None, per_minute=None) as simulator:
        env["NEXHEALTH_EXPORTER_API_URL"] = simulator.url
        env["NEXHEALTH_EXPORTER_API_KEY"] = simulator.api_key
        async with running(*PROGRAM, env=env) as exporter:
            before = await until(lambda: page(told), why=exporter.said)
            assert await exporter.stop(by) == code

    async with running(*PROGRAM, env=env) as exporter:
        after = await until(lambda: page("nexhealth_up 0"), why=exporter.said)
        assert "nexhealth_institution_poll_success{" in after
    kept = KEPT.findall(before)
    assert len(kept) > 30
    assert KEPT.findall(after) == kept
