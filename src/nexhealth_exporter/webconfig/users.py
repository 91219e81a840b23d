"""Users and their passwords for basic auth."""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

_NOBODY = "." * 53
"""Salt and digest of a bcrypt hash that no password has."""

LONGEST_PASSWORD = 72
"""Bytes; bcrypt ignores the rest."""

MOST_CHECKS = 16
"""Passwords checked or queued at a time: somebody who guesses must not fill a long queue."""


class Crowded(Exception):
    """Too many passwords are being checked already."""


class Users:
    """The users: bcrypt hashes by name.

    A check takes a tenth of a second by design, so checks run in a thread, one at a time, and a
    correct password is remembered as a keyed hash. An unknown name takes as long as the name of
    some user, always the same one, so that timing does not reveal whether a user exists.
    """

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = hashes
        self._nobody = [f"$2b${shown.split('$')[2]}${_NOBODY}" for shown in hashes.values()]
        self._good: set[bytes] = set()
        self._secret = secrets.token_bytes(32)
        # A thread of its own: guessing passwords must not delay anything else.
        self._thread = ThreadPoolExecutor(1, "passwords")
        self._checks = 0

    def __bool__(self) -> bool:
        """True if there are users, so that clients must authenticate."""
        return bool(self._hashes)

    async def verify(self, user: str, password: str) -> bool:
        """True if that is the user's password. Raises Crowded."""
        # Truncated as bcrypt does; otherwise longer variants of a password would fill the memory.
        looked_at = _bytes(password)[:LONGEST_PASSWORD]
        mark = self._digest(b"%d " % len(user) + _bytes(user) + looked_at)
        if mark in self._good:
            return True
        known = self._hashes.get(user)
        fits = await self._checked(looked_at, known or self._of_nobody(user))
        if known is None or not fits:
            return False
        self._good.add(mark)
        return True

    def _checked(self, password: bytes, shown: str) -> asyncio.Future[bool]:
        if self._checks >= MOST_CHECKS:
            raise Crowded
        self._checks += 1
        loop = asyncio.get_running_loop()
        check = loop.run_in_executor(self._thread, _fits, password, shown)
        # Called also if the client has gone, which cancels a check that is still queued.
        check.add_done_callback(self._left)
        return check

    def _left(self, _check: object) -> None:
        self._checks -= 1

    def _of_nobody(self, user: str) -> str:
        """A hash that no password has, with the cost factor of one of the users."""
        drawn = int.from_bytes(self._digest(_bytes(user)))
        return self._nobody[drawn % len(self._nobody)]

    def _digest(self, text: bytes) -> bytes:
        return hmac.digest(self._secret, text, hashlib.sha256)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _fits(password: bytes, shown: str) -> bool:
    # Imported late, to keep the start fast: few use passwords.
    import bcrypt  # noqa: PLC0415

    return bcrypt.checkpw(password, shown.encode())
