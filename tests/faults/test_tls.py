"""The API over TLS: believed with a certificate that fits, and with no other."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from nexhealth_exporter.simulator import Simulator, plain_offices
from tests.e2e.processes import PROGRAM, running

pytestmark = pytest.mark.e2e

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
STRANGER = trustme.CA()


@pytest.mark.parametrize(
    ("host", "until", "issuer", "said"),
    [
        ("127.0.0.1", None, None, "2 syncs, 0 overdue"),
        ("127.0.0.2", None, None, "IP address mismatch"),
        ("localhost", None, None, "IP address mismatch"),
        ("127.0.0.1", YESTERDAY, None, "certificate has expired"),
        ("127.0.0.1", None, STRANGER, "unable to get local issuer certificate"),
    ],
    ids=["fits", "another address", "a name", "expired", "of a stranger"],
)
async def test_only_a_certificate_that_fits_gets_the_key(
    host: str, until: datetime | None, issuer: trustme.CA | None, said: str, tmp_path: Path
) -> None:
    trusted = trustme.CA()
    trusted.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (issuer or trusted).issue_cert(host, not_after=until).configure_cert(tls)
    async with Simulator(plain_offices(2), ssl_context=tls) as simulator:
        env = {
            "NEXHEALTH_EXPORTER_API_URL": simulator.url,
            "NEXHEALTH_EXPORTER_API_KEY": simulator.api_key,
            "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
        }
        async with running(*PROGRAM, "status", env=env) as status:
            code = await status.ended(60)
        is_believed = "2 syncs" in said
        assert (code == 0) is is_believed
        assert said in status.said
        assert "Traceback" not in status.said
        assert (simulator.traffic.count() > 0) is is_believed
