"""Records that an export keeps next to the chunks of an array: their identity, and the size of each one."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mandeldask.exports.targets import Target

MARK = ".export.json"
"""Name of the document that identifies the chunks below an array's path. Zarr readers ignore it."""

LEDGER = ".export-{part}.log"
"""Name of the list of chunks that one part of an export has written; each line has key, bytes and CRC-32."""


SOURCE = "source"
"""Name of the entry, among the facts of a mark, with the parameters that determine the elements."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The identity of the chunks of an array."""

    content: str
    """Identity of the chunks; '' if the mark was truncated."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The facts that it depends on, by name, as JSON values, to describe differences. Older marks have none."""


@dataclass(frozen=True, slots=True)
class Record:
    """The marks and ledgers of one array in a target."""

    target: Target
    """Where the chunks are."""
    path: str
    """Path of the array; '' for the root."""

    def mark(self) -> Mark | None:
        """Return the mark of the existing chunks; None if there is no mark."""
        raw = self.target.read(self._key(MARK))
        if raw is None:
            return None
        try:
            found = json.loads(raw)
            return Mark(str(found["content"]), dict(found.get("facts", {})))
        except (KeyError, TypeError, ValueError, AttributeError):  # truncated: the chunks may come from another source
            return Mark("")

    def claim(self, mark: Mark) -> None:
        """Mark the chunks that will be written."""
        content = json.dumps({"content": mark.content, "facts": mark.facts}).encode()
        if self.target.read(self._key(MARK)) != content:
            self.target.write(self._key(MARK), content)

    def ledger(self, part: str) -> Ledger:
        """Return the ledger of one part of an export."""
        return Ledger(self.target, self._key(LEDGER.format(part=part)))

    def written(self, ledger: str) -> Iterator[tuple[str, int, int]]:
        """Yield key, bytes and CRC-32 of every chunk in a ledger.

        If a key occurs twice, its last line is the valid one.
        """
        return _entries(self.target.read(self._key(ledger)) or b"")

    def _key(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name


@dataclass(frozen=True, slots=True)
class Ledger:
    """The list of chunks that were written."""

    target: Target
    """The target."""
    key: str
    """Its key."""
    _lines: list[str] = field(default_factory=list, compare=False, repr=False)

    def add(self, key: str, content: bytes) -> None:
        """Add a line for a chunk that is complete on disk."""
        self._lines.append(f"{key} {len(content)} {zlib.crc32(content):08x}\n")

    def flush(self) -> None:
        """Write the lines that were added."""
        if self._lines:
            self.target.append(self.key, "".join(self._lines))
            self._lines.clear()


def is_ledger(key: str) -> bool:
    """Return whether a key below an array's path is the key of a ledger."""
    return "/" not in key and key.startswith(".export-") and key.endswith(".log")


def _entries(raw: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield the complete lines of a ledger; the last line may be truncated."""
    for line in BytesIO(raw):
        words = line.decode("ascii", "replace").rstrip("\n").split(" ")
        try:
            key, size, crc = words[0], int(words[1]), int(words[2], 16)
        except (IndexError, ValueError):
            continue
        if len(words[2]) == 8:  # noqa: PLR2004  digits of a CRC-32
            yield key, size, crc
