"""The selection of a folder's files: by name, and whether links can leave the folder."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mandeldask.files.patterns import Pattern

_WAYS = {".zarr.json", "zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata"}
"""Names that Zarr uses itself, so that members cannot have them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The selection of the files of a folder that are shown.

    Raises
    ------
    TypeError
        If `include` or `exclude` is one string rather than several.
    """

    include: tuple[str, ...] = ()
    """Patterns, such as ``"*.tif"``: a file is shown if its name matches one of them. Empty for all files."""
    exclude: tuple[str, ...] = ()
    """Patterns of names of files and folders that are not shown."""
    hidden: bool = False
    """Whether names that begin with a dot are shown."""
    follow_symlinks: bool = False
    """Whether links, and files that refer to other files, can leave the served folder."""
    stacks: tuple[Pattern, ...] = ()
    """Name patterns of numbered files that are shown as one array."""

    def __post_init__(self) -> None:
        for name in ("include", "exclude"):
            value = getattr(self, name)
            if isinstance(value, str):
                msg = f"{name} must be several patterns, not {value!r}"
                raise TypeError(msg)
            object.__setattr__(self, name, tuple(value))

    def takes(self, name: str, *, folder: bool) -> bool:
        """Return whether a file or folder of this name is shown.

        Examples
        --------
        >>> choice = Choice(include=("*.tif",), exclude=("old*",))
        >>> [choice.takes(name, folder=False) for name in ("a.tif", "a.png", "old.tif", ".a.tif")]
        [True, False, False, False]
        """
        if name in _WAYS or (name.startswith(".") and not self.hidden):
            return False
        if any(fnmatchcase(name, pattern) for pattern in self.exclude):
            return False
        return folder or not self.include or any(fnmatchcase(name, pattern) for pattern in self.include)
