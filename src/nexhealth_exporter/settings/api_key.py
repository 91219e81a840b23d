"""The API key as it is now."""

from pathlib import Path

from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.settings import values
from nexhealth_exporter.settings.model import Settings, variable
from nexhealth_exporter.watch import is_readable_once

MOST_BYTES = 1 << 16
"""Of its file; a device that was named by mistake has no end."""


class ApiKey:
    """Called for the key each time that it is sent; reads its file anew, so that it can be rotated.

    A pipe is read only once. While the file cannot be used, as for a moment during a rotation, the
    last good key stays in force; if there never was one, the call raises ConfigError.
    """

    def __init__(self, settings: Settings) -> None:
        self._file = settings.api_key_file
        self._key = settings.api_key.get_secret_value() if settings.api_key else None

    def __call__(self) -> str:
        """The key."""
        try:
            self.reread()
        except ConfigError:
            if self._key is None:
                raise
        if self._key is None:
            raise ConfigError(
                f"{variable('api_key')} is not set; set it, or {variable('api_key_file')}, "
                "to the key of the NexHealth developer portal."
            )
        return self._key

    def reread(self) -> None:
        """Read the key from its file now. Raises ConfigError; then the old key stays in force."""
        if self._file is not None and (self._key is None or not is_readable_once(self._file)):
            self._key = self._read(self._file)

    @property
    def known(self) -> tuple[str, ...]:
        """The keys that must not be seen in a log."""
        return (self._key,) if self._key else ()

    def _read(self, file: Path) -> str:
        name = variable("api_key_file")
        try:
            with file.open("rb") as opened:
                read = opened.read(MOST_BYTES + 1)
            if len(read) > MOST_BYTES:
                raise ConfigError(f"{name} contains more than a key.")
            return values.key(read.decode("utf-8"))
        except OSError as e:
            # Without the path: it may be a key that was put there by mistake.
            raise ConfigError(f"{name} cannot be read: {e.strerror}.") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{name} is not a text file.") from None
        except ValueError as e:
            raise ConfigError(f"{name} {e}.") from None
