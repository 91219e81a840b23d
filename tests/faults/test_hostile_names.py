"""Names that come from the API are text and nothing else, wherever they are shown."""

import json
import re
import unicodedata
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from nexhealth_exporter.simulator import Simulator, plain_office
from nexhealth_exporter.simulator import faults as f
from nexhealth_exporter.simulator.offices import Location, Office, Sync
from tests.e2e.processes import PROGRAM, free_port, get, running, until
from tests.faults.truth import Seen
from tests.web.document import parsed

pytestmark = pytest.mark.e2e

HOSTILE = {
    "html": "<script src=//x.invalid></script><img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "template": "{{7*7}}{% raw %}${7*7}",
    "label": 'x"} 1\nnexhealth_forged{evil="1',
    "backslash": 'x\\" \\n \\',
    "line": "x\nts=2026-01-01T00:00:00.000Z level=error msg=forged",
    "carriage": "x\r\nlevel=error msg=forged",
    "terminal": "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x9b1m",
    "link": "\x1b]8;;http://x.invalid\x1b\\click\x1b]8;;\x1b\\",
    "markup": "[bold red]x[/] [link=http://x.invalid]y[/link]",
    "direction": "safe\u202egnp.exe\u2066\u2069\u200b",
    "separators": "a\u2028b\u2029c\x85d\x0be",
    "formula": "=HYPERLINK(1)",
    "format": "%s %(msg)s {0} %n",
    "nothing": "\x00\x01",
    "path": "../../../../etc/passwd",
    "long": "x" * 5000,
}
HALF = f.Body(
    b'{"code": true, "data": [{"institution_id": 14, "sync_source_name": "half \\ud800 of one"}]}'
)
"""Half of a character, which no encoder of ours would send."""

FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
TURNING = frozenset("\u200b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def offices() -> list[Office]:
    """Each has a hostile name wherever an answer has room for one."""
    found = []
    for number, name in enumerate(HOSTILE.values(), 1):
        plain = plain_office(number, subdomain=f"office-{number}")
        emr = replace(plain.syncs[0].emr, name=name, display_name=name)
        places = (Location(number, name, name, country=name[:2], state=name),)
        sync = Sync(name, emr, plain.syncs[0].behaviour, (number,))
        found.append(replace(plain, name=name, syncs=(sync,), locations=places))
    return found


def subdomains() -> list[Office]:
    """They have hostile names for a subdomain."""
    return [
        plain_office(number, subdomain=name)
        for number, name in enumerate(HOSTILE.values(), 100)
        if name.isprintable() and len(name) < 100
    ]


def obeyed(text: str, allowed: str = "\n") -> set[str]:
    """Characters that a terminal, an editor or a parser of lines would obey."""
    found = {c for c in text if unicodedata.category(c) in FORBIDDEN or c in TURNING}
    return found - set(allowed)


async def test_hostile_names_are_text_everywhere(tmp_path: Path) -> None:
    port = free_port()
    async with Simulator(
        [*offices(), *subdomains()], per_second=None, per_minute=None
    ) as simulator:
        simulator.faults["office-13"] = f.Refusal(tuple(HOSTILE.values()))
        simulator.faults["office-14"] = HALF
        env = {
            "API_URL": simulator.url,
            "API_KEY": simulator.api_key,
            "POLL_SCOPE": "institution",
            "LOG_LEVEL": "debug",
            "LISTEN_ADDRESS": f"127.0.0.1:{port}",
            "STATE_FILE": str(tmp_path / "state.sqlite"),
        }
        settings = {f"NEXHEALTH_EXPORTER_{name}": value for name, value in env.items()}
        words = (["status"], ["status", "--format", "json"], ["check"])
        async with (
            running(*PROGRAM, env=settings) as exporter,
            running(*PROGRAM, *words[0], env=settings) as table,
            running(*PROGRAM, *words[1], env=settings) as listed,
            running(*PROGRAM, *words[2], env=settings) as check,
        ):
            url = f"http://127.0.0.1:{port}"

            async def is_ready() -> bool:
                return (await get(f"{url}/-/ready"))[0] == 200

            await until(is_ready, why=exporter.said)
            await _look_at_series(url)
            await _look_at_pages(url, list(simulator.offices))
            for command in (table, listed, check):
                await command.ended()
                assert not obeyed(command.said), command.said
            assert await exporter.stop() == 0
    assert len(offices()) - 1 <= table.said.count("office-")
    assert len(json.loads(listed.said[listed.said.index("[\n") :])) >= len(offices())
    assert "office-13" in exporter.said
    for line in exporter.said.splitlines():
        assert re.match(r"ts=\d{4}-\d\d-\d\dT[\d:.]+Z level=(debug|info|warning) logger=", line)
        assert not obeyed(line), line


async def _look_at_series(url: str) -> None:
    for accept in ("text/plain", "application/openmetrics-text"):
        _, page = await get(f"{url}/metrics", Accept=accept)
        assert not obeyed(page)
        names = set(re.findall(r"(?m)^([a-zA-Z_:][\w:]*)", page))
        assert not {name for name in names if "forged" in name or "evil" in name}
        for line in page.splitlines():
            assert re.fullmatch(r'# .*|[a-z_]+(\{(\w+="([^"\\\n]|\\[\\"n])*",?)*\})? \S+', line)
    _, page = await get(f"{url}/metrics")
    seen = Seen.of(page)
    emrs = {labels["emr"] for labels, _ in seen.samples["sync_info"]}
    assert HOSTILE["backslash"].strip() in emrs
    assert HOSTILE["html"] in emrs
    assert max(map(len, emrs)) == 200


async def _look_at_pages(url: str, names: list[str]) -> None:
    for path in ["/", *(f"/institutions/{quote(name, safe='')}" for name in names)]:
        status, text = await get(url + path)
        assert status == 200, path
        assert not obeyed(text), path
        page = parsed(text)
        assert all("/static/" in (e.attributes.get("src") or "") for e in page.all("script"))
        for element in page.walk():
            assert not [name for name in element.attributes if name.startswith("on")]
            for link in ("href", "src", "action"):
                target = element.attributes.get(link) or ""
                assert "://" not in target
                assert not target.startswith(("javascript:", "data:", "//"))
        status, text = await get(f"{url}/api/v1{path}" if path != "/" else f"{url}/api/v1/syncs")
        assert status == 200
        json.loads(text)
