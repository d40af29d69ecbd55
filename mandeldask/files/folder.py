"""A folder as a group: listed and opened on request; members that cannot be shown are left out and named."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from mandeldask.files.formats import claimed
from mandeldask.files.opening import is_zarr, opened_file
from mandeldask.files.patterns import Stack
from mandeldask.files.skipped import skipped
from mandeldask.files.stacks import opened_stack
from mandeldask.files.stamps import Stamp, Unreadable, Version, within
from mandeldask.zarrview.identity import digest
from mandeldask.zarrview.nodes import Changed, Group, checked_name, named

if TYPE_CHECKING:
    from mandeldask.files.choice import Choice
    from mandeldask.zarrview.nodes import Node

log = logging.getLogger(__name__)

PROBED = 200
"""Largest number of files that are opened in advance; in larger folders, errors appear when a file is read."""

Entry = Literal["file", "folder"] | Stack
"""The kind of an entry in a folder."""

LISTINGS = 64
"""Number of folder listings in the cache, which uses the folder's stamp as key."""


@lru_cache(maxsize=LISTINGS)
def _listed(path: str, stamp: Stamp, choice: Choice) -> Mapping[str, Entry]:  # noqa: ARG001  the stamp is the key
    """Return the names in a folder that can be shown, in order, with their kinds."""
    found: dict[str, Entry] = {}
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                folder = entry.is_dir()
            except OSError:
                folder = False
            if choice.takes(entry.name, folder=folder) and (folder or claimed(entry.name)):
                found[entry.name] = "folder" if folder else "file"
    for pattern in choice.stacks:
        stack = Stack.of(pattern, (name for name, entry in found.items() if entry == "file"))
        if stack is not None:
            found = {name: entry for name, entry in found.items() if name not in set(stack.files)}
            found[pattern.name] = stack
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Folder(Mapping[str, "Node"]):
    """The members of a folder in its current state. It is pickled as its path."""

    path: str
    """The path as it was given."""
    root: str
    """The folder outside which no file is read, with links resolved."""
    choice: Choice
    """The selection of files that are shown."""
    above: tuple[str, ...] = ()
    """The parent folders, with links resolved: a link to one of them would be endless."""
    bad: Mapping[str, str] = field(default_factory=dict)
    """Names that are left out, with the reasons."""

    def names(self) -> Mapping[str, Entry]:
        """Return every name that can be shown, with its kind."""
        try:
            return _listed(self.path, Stamp.of(self.path), self.choice)
        except OSError:
            return {}

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.names() if name not in self.bad)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self.names() and name not in self.bad

    def __getitem__(self, name: str) -> Node:
        entry = self.names().get(name)  # looked up in the listing, so that no name can leave the folder
        if entry is None or (name in self.bad and os.path.islink(os.path.join(self.path, name))):  # noqa: PTH114, PTH118
            raise KeyError(name)
        if name in self.bad:  # clients that know it would read absent chunks as fill values
            msg = f"{name} cannot be read: {self.bad[name]}"
            raise Changed(msg)
        try:
            return self.opened(name, entry)
        except FileNotFoundError:
            raise KeyError(name) from None
        except (Unreadable, OSError) as error:
            msg = f"{name} cannot be read now: {error}"
            raise Changed(msg) from error

    def opened(self, name: str, entry: Entry) -> Node:
        """Return one member; raise the error that prevents this."""
        checked_name(name)
        path = os.path.join(self.path, name)  # noqa: PTH118
        if isinstance(entry, Stack):
            return opened_stack(self.path, self.root, entry)
        if entry == "file":
            return named(opened_file(path, self.root), name)
        return named(opened_folder(path, self.root, self.choice, self._above(path)), name)

    def probe(self, name: str, entry: Entry) -> None:
        """Raise the error that prevents showing one member; the content of folders is not checked."""
        path = os.path.join(self.path, checked_name(name))  # noqa: PTH118
        if entry != "folder" or is_zarr(path):
            self.opened(name, entry)
        else:
            self._above(path)

    def _above(self, path: str) -> tuple[str, ...]:
        """Return the parents of the folder `path`; raise Unreadable if it must not be entered."""
        real = os.path.realpath(path)
        if not within(real, self.root):
            msg = "it is a link to a place outside the folder that is served"
            raise Unreadable(msg)
        above = (*self.above, os.path.realpath(self.path))
        if real in above:
            msg = "it is a link to one of its own parent folders"
            raise Unreadable(msg)
        return above


@dataclass(frozen=True, slots=True)
class FolderVersion:
    """Returns the version of a folder: its names, and the stamps of the files that are left out."""

    path: str
    """The path as it was given."""
    bad: tuple[str, ...]
    """Names that are left out; these files may be repaired."""

    def __call__(self) -> str:
        """Return the version."""
        return digest(Version(self.path)(), *(Version(os.path.join(self.path, name))() for name in self.bad))  # noqa: PTH118


def opened_folder(path: str, root: str, choice: Choice, above: tuple[str, ...] = ()) -> Node:
    """Return the tree of a folder, or of a Zarr store if the folder is one.

    Raises
    ------
    Unreadable
        If it is a Zarr store that cannot be read.
    OSError
        If it cannot be listed.
    """
    if is_zarr(path):
        from mandeldask.files.kinds.zarr_stores import opened_directory  # noqa: PLC0415  zarr is optional here

        return opened_directory(path, root)
    os.scandir(path).close()  # raises if it cannot be listed
    bad = _probed(Folder(path, root, choice, above))
    version = FolderVersion(path, tuple(bad))
    return Group(Folder(path, root, choice, above, bad), version=version, consolidate=False, skipped=bad)


def _probed(folder: Folder) -> dict[str, str]:
    """Return the members that cannot be shown, with the reasons; members that are being written count as good."""
    names = folder.names()
    if len(names) > PROBED:
        return {}
    bad = {}
    for name, entry in names.items():
        try:
            folder.probe(name, entry)
        except Changed:
            continue
        except Exception as error:  # noqa: BLE001  a bad file must not affect its folder
            bad[name] = str(error) or type(error).__name__
            skipped.add(os.path.join(folder.path, name), bad[name])  # noqa: PTH118
    return bad
