"""Parts of a page, each compressed on its own, and joined to one gzip stream.

A part that has not changed is not compressed again. Every part ends on a byte boundary and refers
to nothing in other parts, so any selection of them, in any order, is a valid stream.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from isal import isal_zlib

LARGEST = 256 * 1024
"""Bytes per chunk: to write more at once would block the event loop."""

_LEVEL = 1
_RAW = -12
"""Raw deflate, without header and checksum, with a window of 4 KiB: what a line repeats is just
before it, and short distances take fewer bits."""

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"


class Part(NamedTuple):
    """Compressed text; `crc` and `size` are of the text itself."""

    deflated: bytes
    crc: int
    size: int


def part(text: bytes) -> Part:
    """The compressed text."""
    if not text:
        return Part(b"", 0, 0)
    stream = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW)
    deflated = stream.compress(text) + stream.flush(isal_zlib.Z_FULL_FLUSH)
    return Part(deflated, isal_zlib.crc32(text), len(text))


def gzipped(parts: Iterable[Part]) -> Iterator[bytes]:
    """One gzip member with all the parts."""
    yield _HEADER
    crc = size = 0
    for deflated, its_crc, its_size in parts:
        yield deflated
        crc = isal_zlib.crc32_combine(crc, its_crc, its_size)
        size += its_size
    yield _LAST_BLOCK + crc.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")


def plain(parts: Iterable[Part]) -> Iterator[bytes]:
    """The text of all parts, decompressed: to keep the text would take ten times the memory."""
    for deflated, _, _ in parts:
        yield isal_zlib.decompressobj(_RAW).decompress(deflated) if deflated else b""


class Packer:
    """Gathers bytes into chunks of at most `LARGEST`."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        """Append these bytes."""
        if self._size + len(data) > LARGEST:
            self._flush()
        while len(data) > LARGEST:
            self._chunks.append(data[:LARGEST])
            data = data[LARGEST:]
        self._waiting.append(data)
        self._size += len(data)

    def chunks(self) -> list[bytes]:
        """All that was added, in order."""
        self._flush()
        return self._chunks

    def _flush(self) -> None:
        if self._size:
            self._chunks.append(b"".join(self._waiting))
        self._waiting = []
        self._size = 0
