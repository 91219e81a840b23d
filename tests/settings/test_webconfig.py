"""TLS and basic auth as an operator writes them, spoken over real sockets."""

import asyncio
import ssl
import time
from pathlib import Path

import bcrypt
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from nexhealth_exporter import webconfig
from nexhealth_exporter.errors import ConfigError

BAD = sorted((Path(__file__).parent / "bad_web").glob("*.txt"))
PASSWORD = "correct horse"
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def folder(tmp_path: Path, authority: trustme.CA) -> Path:
    """A folder with a server's certificate and key, and the clients' authority."""
    server = authority.issue_cert("localhost")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.crt")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    (tmp_path / "garbage.pem").write_text("garbage")
    return tmp_path


def load(folder: Path, text: str) -> webconfig.WebConfig:
    file = folder / "web.yaml"
    file.write_text(text)
    return webconfig.load(file)


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_wrong_file_is_refused_with_line_key_and_remedy(file: Path, folder: Path) -> None:
    text = file.read_text()
    expected = [line.removeprefix("#! ") for line in text.splitlines() if line.startswith("#! ")]

    with pytest.raises(ConfigError) as refusal:
        load(folder, text)

    assert expected
    assert str(refusal.value).replace(f"{folder}/", "").splitlines() == expected


def test_without_a_file_everybody_may_come_over_plain_http() -> None:
    open_house = webconfig.load(None)
    assert open_house.tls is None
    assert not open_house.users
    assert open_house.files == ()


def test_the_files_that_matter_are_named(folder: Path) -> None:
    config = load(folder, TLS)
    assert config.files == tuple(folder / name for name in ("web.yaml", "server.crt", "server.key"))
    assert config.text == TLS


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(folder: Path) -> None:
    file = folder / "server.key"
    key = load_pem_private_key(file.read_bytes(), None)
    hidden = BestAvailableEncryption(b"hunter2hunter2")
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden))
    with pytest.raises(ConfigError, match="must be PEM, the key not encrypted"):
        load(folder, TLS)


def test_headers_are_taken_over(folder: Path) -> None:
    config = load(folder, "http_server_config: {http2: false, headers: {X-Frame-Options: deny}}\n")
    assert config.headers == {"X-Frame-Options": "deny"}


def test_a_blank_header_is_one_that_the_file_does_not_set(folder: Path) -> None:
    config = load(folder, 'http_server_config: {headers: {X-Frame-Options: ""}}\n')
    assert config.headers == {}


async def greeted(config: webconfig.WebConfig, client: ssl.SSLContext) -> str | None:
    """The version in which the client is spoken to; None when it is turned away."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=config.tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=client, server_hostname="localhost"
            )
            version: str = writer.get_extra_info("ssl_object").version()
            greeting = await reader.read(1)
        except (ssl.SSLError, ConnectionError):
            return None
        writer.transport.abort()
        return version if greeting else None


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_tls_is_spoken(folder: Path, authority: trustme.CA) -> None:
    config = load(folder, TLS)
    assert await greeted(config, trusting(authority)) == "TLSv1.3"


async def test_version_and_ciphers_are_those_configured(
    folder: Path, authority: trustme.CA
) -> None:
    config = load(
        folder,
        f"{TLS}  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n",
    )
    assert await greeted(config, trusting(authority)) == "TLSv1.2"
    assert config.tls is not None
    names = [cipher["name"] for cipher in config.tls.get_ciphers()]
    assert [name for name in names if not name.startswith("TLS_")] == [
        "ECDHE-ECDSA-AES256-GCM-SHA384"
    ]


async def test_an_old_client_is_turned_away(folder: Path, authority: trustme.CA) -> None:
    config = load(folder, f"{TLS}  min_version: TLS13\n")
    old = trusting(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert await greeted(config, old) is None


@pytest.mark.parametrize(
    ("minor", "said"), [(1, "UNSUPPORTED_PROTOCOL"), (2, "UNSUPPORTED_PROTOCOL"), (3, "goes on")]
)
def test_versions_before_tls_1_2_are_refused(folder: Path, minor: int, said: str) -> None:
    config = load(folder, TLS)
    assert config.tls is not None
    arriving = ssl.MemoryBIO()
    arriving.write(client_hello(minor))
    server = config.tls.wrap_bio(arriving, ssl.MemoryBIO(), server_side=True)
    with pytest.raises(ssl.SSLError) as stopped:
        server.do_handshake()
    wants_more = isinstance(stopped.value, ssl.SSLWantReadError)
    assert ("goes on" if wants_more else stopped.value.reason) == said


def client_hello(minor: int) -> bytes:
    """The first message of a client that speaks no newer version than 3.`minor`."""
    version = bytes([3, minor])
    ciphers = bytes.fromhex("c02bc02fc02cc030c009c013c00ac014009c002f00ff")
    groups = bytes.fromhex("000a00080006001d00170018")
    formats = bytes.fromhex("000b00020100")
    algorithms = bytes.fromhex("000d000a00080403050308040401")
    extensions = groups + formats + algorithms
    body = (
        version + bytes(32) + b"\0" + len(ciphers).to_bytes(2) + ciphers + b"\1\0"
        + len(extensions).to_bytes(2) + extensions
    )  # fmt: skip
    message = b"\1" + len(body).to_bytes(3) + body
    return b"\x16\3\1" + len(message).to_bytes(2) + message


async def test_a_client_must_show_a_certificate_where_that_is_asked(
    folder: Path, authority: trustme.CA
) -> None:
    config = load(
        folder,
        f"{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n",
    )
    assert await greeted(config, trusting(authority)) is None
    known = trusting(authority)
    authority.issue_cert("prometheus").configure_cert(known)
    assert await greeted(config, known) == "TLSv1.3"
    stranger = trusting(authority)
    trustme.CA().issue_cert("prometheus").configure_cert(stranger)
    assert await greeted(config, stranger) is None


async def test_a_client_may_show_a_certificate_but_no_strange_one_where_that_is_asked(
    folder: Path, authority: trustme.CA
) -> None:
    config = load(
        folder,
        f"{TLS}  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.crt\n",
    )
    assert await greeted(config, trusting(authority)) == "TLSv1.3"
    assert not config.asks_who
    stranger = trusting(authority)
    trustme.CA().issue_cert("prometheus").configure_cert(stranger)
    assert await greeted(config, stranger) is None


async def test_the_right_password_of_the_right_user_passes(folder: Path) -> None:
    users = load(folder, f'basic_auth_users: {{prometheus: "{hashed(PASSWORD)}"}}\n').users
    assert users
    assert await users.verify("prometheus", PASSWORD)
    assert not await users.verify("prometheus", "wrong")
    assert not await users.verify("prometheus", "")
    assert not await users.verify("nobody", PASSWORD)
    assert not await users.verify("", "")


async def test_hashes_of_htpasswd_are_taken(folder: Path) -> None:
    shown = hashed(PASSWORD).replace("$2b$", "$2y$")
    assert await load(folder, f"basic_auth_users: {{a: {shown}}}").users.verify("a", PASSWORD)


@pytest.mark.parametrize("password", ["x" * 100, "a\0b", "\ud800", "naïve"])
async def test_strange_passwords_do_no_harm(folder: Path, password: str) -> None:
    users = load(folder, f'basic_auth_users: {{prometheus: "{hashed(PASSWORD)}"}}\n').users
    assert not await users.verify("prometheus", password)
    assert not await users.verify(password, PASSWORD)


async def test_a_good_answer_is_remembered_and_a_new_file_forgets_it(folder: Path) -> None:
    users = load(folder, f'basic_auth_users: {{prometheus: "{hashed(PASSWORD, 10)}"}}\n').users
    first = await seconds_of(users, "prometheus", PASSWORD)
    again = await seconds_of(users, "prometheus", PASSWORD)
    assert again < first / 10

    changed = load(folder, f'basic_auth_users: {{prometheus: "{hashed("other")}"}}\n').users
    assert not await changed.verify("prometheus", PASSWORD)


async def test_what_bcrypt_does_not_look_at_is_not_remembered(folder: Path) -> None:
    long = "x" * webconfig.LONGEST_PASSWORD
    users = load(folder, f'basic_auth_users: {{prometheus: "{hashed(long, 10)}"}}\n').users
    first = await seconds_of(users, "prometheus", long)
    for number in range(5):
        assert await seconds_of(users, "prometheus", f"{long}{number}") < first / 10
        assert await users.verify("prometheus", f"{long}{number}")
    assert not await users.verify("prometheus", long[:-1] + "y")


async def test_the_time_does_not_tell_whether_a_user_exists(folder: Path) -> None:
    costs = {"alice": 7, "bob": 9}
    listed = ", ".join(f'{user}: "{hashed(PASSWORD, cost)}"' for user, cost in costs.items())
    users = load(folder, f"basic_auth_users: {{{listed}}}\n").users

    async def work(user: str) -> float:
        return min([await spent(users, user, "wrong") for _ in range(3)])

    known = sorted([await work(user) for user in costs])
    assert known[1] > 2 * known[0]
    unknown = [await work(f"nobody-{number}") for number in range(12)]
    for seconds in unknown:
        assert any(0.6 < seconds / of_user < 1.6 for of_user in known)
    # Each unknown name costs what one of the users costs, and is not told apart by always
    # costing the same.
    assert max(unknown) > 2 * min(unknown)


async def test_checking_does_not_stop_the_world(folder: Path) -> None:
    users = load(folder, f'basic_auth_users: {{prometheus: "{hashed(PASSWORD, 10)}"}}\n').users
    check = asyncio.create_task(users.verify("prometheus", "wrong"))
    turns = 0
    while not check.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100


async def spent(users: webconfig.Users, user: str, password: str) -> float:
    """Processor seconds, which a busy machine does not change."""
    start = time.process_time()
    await users.verify(user, password)
    return time.process_time() - start


async def seconds_of(users: webconfig.Users, user: str, password: str) -> float:
    start = time.perf_counter()
    await users.verify(user, password)
    return time.perf_counter() - start


def test_files_that_are_named_are_known_before_they_are_there(tmp_path: Path) -> None:
    """So that one that comes later is noticed."""
    file = tmp_path / "web.yaml"
    file.write_text("tls_server_config: {cert_file: a.crt, key_file: /run/a.key}\n")

    with pytest.raises(ConfigError, match=r"a\.crt, which cannot be read"):
        webconfig.load(file)
    assert webconfig.named(file) == (tmp_path / "a.crt", Path("/run/a.key"))
    file.write_text("tls_server_config: {cert_fil: a.crt}\n")
    assert webconfig.named(file) == webconfig.named(None) == ()
