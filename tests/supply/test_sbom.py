"""The bill of materials is CycloneDX, and lists what the image is made of."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from tests.supply.test_pins import pins

ROOT = Path(__file__).parents[2]


def test_the_bill_of_materials_is_valid_and_lists_every_package_with_its_hashes() -> None:
    # Without its setup: what runs this was set up already.
    make = [str(shutil.which("make")), "--old-file=setup", "sbom"]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    text = (ROOT / "dist" / "sbom.json").read_text("utf-8")

    # Imported here: each worker would pay for jsonschema while it collects.
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    told = json.loads(text)
    version = SchemaVersion.from_version(told["specVersion"])
    assert JsonStrictValidator(version).validate_str(text) is None
    assert told["metadata"]["component"]["name"] == "nexhealth-exporter"
    listed = {(each["name"], each["version"]) for each in told["components"]}
    assert listed == pins("runtime")
    for each in told["components"]:
        assert each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}"
        references = each.get("externalReferences", [])
        assert all(re.fullmatch(r"https://[\w.-]+/[\w./-]*", r["url"]) for r in references), (
            references
        )
        hashes = [h for r in references for h in r.get("hashes", [])]
        assert {h["alg"] for h in hashes} == {"SHA-256"}, each["name"]
