"""What an export keeps with the chunks of an array: whose chunks they are, and how long each one is."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mandeldask.exports.targets import Target

MARK = ".export.json"
"""Name of the document that says whose chunks are below an array's path. Zarr readers pass it by."""

LEDGER = ".export-{part}.log"
"""Name of the list of chunks that a part of an export has written: key, bytes and CRC-32 in a line."""


@dataclass(frozen=True, slots=True)
class Record:
    """The marks of one array in a target."""

    target: Target
    """Where the chunks are."""
    path: str
    """Path of the array; '' for the root."""

    def content(self) -> str | None:
        """Return the identity of the chunks that are there; None if no export has marked them."""
        raw = self.target.read(self._key(MARK))
        try:
            found = json.loads(raw or b"{}")
        except ValueError:  # cut off: the chunks below it may have another origin
            return ""
        return found.get("content") if isinstance(found, dict) else ""

    def claim(self, content: str) -> None:
        """Mark the chunks that will be written as those of `content`."""
        self.target.write(self._key(MARK), json.dumps({"content": content}).encode())

    def ledger(self, part: str) -> Ledger:
        """Return the list that one part of an export writes."""
        return Ledger(self.target, self._key(LEDGER.format(part=part)))

    def written(self, names: Mapping[str, int | None]) -> dict[str, tuple[int, int]]:
        """Return bytes and CRC-32 of every chunk in the ledgers, by its key in the array.

        Parameters
        ----------
        names : mapping
            The keys below the array's path.
        """
        entries: dict[str, tuple[int, int]] = {}
        for name in names:
            if "/" not in name and name.startswith(".export-") and name.endswith(".log"):
                entries.update(_entries(self.target.read(self._key(name)) or b""))
        return entries

    def _key(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name


@dataclass(frozen=True, slots=True)
class Ledger:
    """Lines about the chunks that were written."""

    target: Target
    """Where it is kept."""
    key: str
    """Its key."""
    _lines: list[str] = field(default_factory=list, compare=False, repr=False)

    def add(self, key: str, content: bytes) -> None:
        """Note a chunk that is complete on disk."""
        self._lines.append(f"{key} {len(content)} {zlib.crc32(content):08x}\n")

    def flush(self) -> None:
        """Write the lines that were added."""
        if self._lines:
            self.target.append(self.key, "".join(self._lines))
            self._lines.clear()


def _entries(raw: bytes) -> dict[str, tuple[int, int]]:
    """Return the whole lines of a ledger; the last may be cut off."""
    entries = {}
    for line in raw.decode("ascii", "replace").splitlines():
        words = line.split(" ")
        try:
            key, size, crc = words[0], int(words[1]), int(words[2], 16)
        except (IndexError, ValueError):
            continue
        if len(words[2]) == 8:  # noqa: PLR2004  digits of a CRC-32
            entries[key] = size, crc
    return entries
