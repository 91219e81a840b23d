"""The setting that serves the slow page, in the real program."""

import re
from collections import Counter

import pytest

from nexhealth_exporter.simulator import Simulator, plain_offices
from tests.e2e.processes import PROGRAM, free_port, get, running, until

pytestmark = pytest.mark.e2e

IS_UP = r"^nexhealth_up 1(\.0)?$"
FAMILY = r"^nexhealth_(?:sync|institution)\w+"


async def test_the_reference_exposition_serves_the_same_series_and_says_that_it_is_slow() -> None:
    series, said = [], []
    async with Simulator(plain_offices(3), per_second=None, per_minute=None) as simulator:
        for way in ("fast", "reference"):
            port = free_port()
            env = {
                "NEXHEALTH_EXPORTER_API_URL": simulator.url,
                "NEXHEALTH_EXPORTER_API_KEY": simulator.api_key,
                "NEXHEALTH_EXPORTER_LISTEN_ADDRESS": f"127.0.0.1:{port}",
                "NEXHEALTH_EXPORTER_EXPOSITION": way,
            }
            async with running(*PROGRAM, env=env) as exporter:

                async def page(port: int = port) -> str:
                    _, text = await get(f"http://127.0.0.1:{port}/metrics")
                    return text if re.search(IS_UP, text, re.MULTILINE) else ""

                text = await until(page, why=exporter.said)
                series.append(Counter(re.findall(FAMILY, text, re.MULTILINE)))
                said.append(exporter.said)
    assert series[0] == series[1]
    assert series[0]["nexhealth_sync_read_deadline_timestamp_seconds"] == 6
    assert ["EXPOSITION is reference" in text for text in said] == [False, True]
