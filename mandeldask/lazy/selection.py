"""Select levels of a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr


def selected(tree: xr.DataTree, levels: Iterable[int | str] | None = None) -> tuple[str, ...]:
    """Return the names of the groups of `levels` (all of them by default), in the tree's order.

    Raises
    ------
    ValueError
        If a level is not in the tree, or if `levels` is empty.
    """
    asked = set(tree.children) if levels is None else {str(level) for level in levels}
    unknown = sorted(asked - set(tree.children))
    if unknown or not asked:
        msg = f"levels must be among {', '.join(tree.children)}, not {', '.join(unknown) or 'none'}"
        raise ValueError(msg)
    return tuple(name for name in tree.children if name in asked)
