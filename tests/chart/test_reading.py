"""The script of `helm test`, which runs in a pod with little memory."""

import asyncio
import sys

from aiohttp import web

from tests.chart.charts import CHART

SCRIPT = CHART / "files" / "read_metrics.py"
LAGS = ("nexhealth_sync_read_lag_seconds", "nexhealth_sync_write_lag_seconds")


async def test_it_asks_for_the_lags_alone_and_counts_them() -> None:
    asked: list[str] = []

    async def page(request: web.Request) -> web.Response:
        asked.extend(request.query.getall("name[]", ()))
        return web.Response(text="".join(f'{name}{{sync="a"}} 1\n' for name in LAGS))

    app = web.Application()
    app.add_routes([web.get("/metrics", page)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    reading = await asyncio.create_subprocess_exec(
        sys.executable, SCRIPT, f"http://{host}:{port}/metrics", "5", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await reading.communicate()
    await runner.cleanup()

    assert reading.returncode == 0
    assert said.decode().endswith(": 2 lag series\n")
    assert asked == [*LAGS]
