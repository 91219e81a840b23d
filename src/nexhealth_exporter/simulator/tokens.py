"""Bearer tokens of the simulated NexHealth: JWTs signed with a secret of this process."""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from itertools import count
from typing import Any

import msgspec


def _part(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


class Tokens:
    """Issues and checks tokens; a new secret invalidates all of them."""

    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        self._secret = secrets.token_bytes(32)
        self._number = count(1)

    def issue(self, now: float) -> str:
        """A token that expires `lifetime` seconds after `now`."""
        issued = int(now)
        claims = {
            "sub": "1",
            "scp": "api_user",
            "iat": issued,
            "exp": issued + int(self.lifetime),
            "jti": f"{next(self._number):08x}",
        }
        head = _part(msgspec.json.encode({"alg": "HS256"}))
        body = f"{head}.{_part(msgspec.json.encode(claims))}"
        return f"{body}.{self._signature(body)}"

    def good(self, token: str, now: float) -> bool:
        """Whether this process issued the token and it has not expired."""
        body, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(body).encode()):
            return False
        payload = body.partition(".")[2]
        claims: dict[str, Any] = msgspec.json.decode(
            urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        )
        return bool(claims["exp"] > now)

    def revoke(self) -> None:
        """Invalidate every token that was issued before."""
        self._secret = secrets.token_bytes(32)

    def _signature(self, body: str) -> str:
        return _part(hmac.new(self._secret, body.encode(), sha256).digest())
