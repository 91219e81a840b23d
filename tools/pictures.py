"""Take the pictures in docs/images of the exporter's pages, from the demo: `make pictures`.

The demo's fleet is made for the hour at which it starts, so the pictures differ from run to run.
"""

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import aiohttp
from playwright.async_api import Browser, FloatRect, async_playwright

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/images"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTH, MARGIN = 1200, 24
PAGES = {
    "fleet": ("/?per_page=4", "main .zones"),
    "institution": ("/institutions/half-moon-dental", "article"),
    "resting": ("/institutions/noonday-pediatrics", "article"),
}
"""The page of each picture, and the last element that must be entirely in it."""

LARGEST = 320_000
"""Bytes: a README with larger pictures is slow to open."""


@asynccontextmanager
async def demo() -> AsyncIterator[str]:
    """The address of a demo whose first round has finished."""
    command = (sys.executable, "-m", "nexhealth_exporter", "demo")
    process = await asyncio.create_subprocess_exec(
        *command, "--listen-address", "127.0.0.1:0", stdout=asyncio.subprocess.PIPE
    )
    try:
        yield await _address(process)
    finally:
        process.terminate()
        await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    if process.stdout is None:
        raise RuntimeError("the demo has no output")
    async for line in process.stdout:
        if found := re.search(rb"http://\S+?:\d+", line):
            break
    else:
        raise RuntimeError("the demo ended without an address")
    address = found[0].decode()
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            async with session.get(f"{address}/-/ready") as answer:
                if answer.ok:
                    return address
            await asyncio.sleep(0.2)


def chromium() -> str:
    """The browser that `make tools` fetched, else that of the system."""
    own = ROOT / ".tools/chromium/chromium"
    found = str(own) if own.exists() else shutil.which("chromium")
    if not found:
        raise SystemExit("Chromium is missing: run make tools")
    return found


async def take(browser: Browser, address: str, name: str, scheme: Literal["light", "dark"]) -> Path:
    """One picture."""
    path, last = PAGES[name]
    page = await browser.new_page(
        color_scheme=scheme, viewport={"width": WIDTH, "height": 900}, reduced_motion="reduce"
    )
    answer = await page.goto(address + path)
    box = await page.locator(last).bounding_box()
    if answer is None or not answer.ok or box is None:
        raise RuntimeError(f"{path} is not visible")
    file = FOLDER / f"{name}-{scheme}.png"
    height = box["y"] + box["height"] + MARGIN
    clip: FloatRect = {"x": 0, "y": 0, "width": WIDTH, "height": height}
    await page.screenshot(path=file, full_page=True, clip=clip)
    await page.close()
    return file


async def main() -> None:
    """Take every picture in both schemes."""
    await asyncio.to_thread(FOLDER.mkdir, parents=True, exist_ok=True)
    async with demo() as address, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for name in PAGES:
            for scheme in SCHEMES:
                file = await take(browser, address, name, scheme)
                size = (await asyncio.to_thread(file.stat)).st_size
                print(f"{file.relative_to(ROOT)}: {size // 1000} kB")
                if size > LARGEST:
                    raise SystemExit(f"{file} is larger than {LARGEST // 1000} kB")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
