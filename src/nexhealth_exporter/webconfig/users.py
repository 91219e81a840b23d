"""Who may come in: passwords and how they are checked."""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

_NOBODY = "." * 53
"""The salt and digest of a hash that no password has."""

LONGEST_PASSWORD = 72
"""bcrypt looks at so many bytes and no more."""

MOST_CHECKS = 16
"""Passwords that may wait to be checked: guessing must not make a queue of minutes."""


class Crowded(Exception):
    """Too many passwords are being checked already."""


class Users:
    """Who may come in: bcrypt hashes by name.

    Checking takes a tenth of a second on purpose, so it is done in a thread, one at a time,
    and a good answer is remembered under a keyed hash. An unknown name costs as much as that
    of some user, and always the same, so that time does not tell whether there is such a user.
    """

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = hashes
        self._nobody = [f"$2b${shown.split('$')[2]}${_NOBODY}" for shown in hashes.values()]
        self._good: set[bytes] = set()
        self._secret = secrets.token_bytes(32)
        # A thread of its own: whoever guesses passwords delays nothing else that needs one.
        self._thread = ThreadPoolExecutor(1, "passwords")
        self._checks = 0

    def __bool__(self) -> bool:
        """True when somebody must say who they are."""
        return bool(self._hashes)

    async def verify(self, user: str, password: str) -> bool:
        """True if that is the user's password. Raises Crowded."""
        # Cut as bcrypt does, or one password would be remembered in ever longer forms.
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
        # Also when whoever asked has gone: what waits is dropped then.
        check.add_done_callback(self._left)
        return check

    def _left(self, _check: object) -> None:
        self._checks -= 1

    def _of_nobody(self, user: str) -> str:
        """A hash that nothing fits, of the cost that one of the users has."""
        drawn = int.from_bytes(self._digest(_bytes(user)))
        return self._nobody[drawn % len(self._nobody)]

    def _digest(self, text: bytes) -> bytes:
        return hmac.digest(self._secret, text, hashlib.sha256)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _fits(password: bytes, shown: str) -> bool:
    # Imported late: few have passwords to check, and all wait for the start.
    import bcrypt  # noqa: PLC0415

    return bcrypt.checkpw(password, shown.encode())
