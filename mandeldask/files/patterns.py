"""Names of numbered files, and the files of a folder that form a stack."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIELD = re.compile(r"\{([A-Za-z][A-Za-z0-9]*)\}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """The name pattern of the files of a stack.

    Raises
    ------
    ValueError
        If it has no field in braces, or one twice, or names a folder.
    """

    text: str
    """The pattern, such as ``img_{t}_{c}.tif``."""

    def __post_init__(self) -> None:
        if not self.dims or len(set(self.dims)) < len(self.dims) or "/" in self.text:
            msg = f'a stack must look like "img_{{t}}_{{c}}.tif", with each name in braces once, not {self.text!r}'
            raise ValueError(msg)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions along which the files are numbered."""
        return tuple(_FIELD.findall(self.text))

    @property
    def name(self) -> str:
        """Name of the stack in its folder: the pattern without braces."""
        return _FIELD.sub(r"\1", self.text)

    def labels_in(self, name: str) -> tuple[str, ...] | None:
        """Return the label of each dimension in a file's name; None if the name does not match.

        Examples
        --------
        >>> Pattern("img_{t}_{c}.tif").labels_in("img_007_red.tif")
        ('007', 'red')
        """
        pieces = _FIELD.split(self.text)
        expression = "".join("([^/]+?)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces))
        found = re.fullmatch(expression, name)
        return found.groups() if found else None


@dataclass(frozen=True, slots=True)
class Stack:
    """The files of a pattern, in order."""

    pattern: Pattern
    """The name pattern."""
    labels: tuple[tuple[str, ...], ...]
    """The labels of each dimension, sorted as numbers if all are numbers, otherwise as text."""
    files: tuple[str, ...]
    """Names of the files, in C order; "" if a file does not exist."""

    @classmethod
    def of(cls, pattern: Pattern, names: Iterable[str]) -> Stack | None:
        """Return the stack of the names that match; None if none does."""
        found = {each: name for name in names if (each := pattern.labels_in(name)) is not None}
        if not found:
            return None
        labels = tuple(tuple(sorted({one[axis] for one in found}, key=_order)) for axis in range(len(pattern.dims)))
        return cls(pattern, labels, tuple(found.get(one, "") for one in product(*labels)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of files along each dimension."""
        return tuple(map(len, self.labels))


def _order(label: str) -> tuple[int, int, str]:
    return (0, int(label), label) if label.isdecimal() else (1, 0, label)
