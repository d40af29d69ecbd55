"""Describe the origin of exported pixels as JSON values: the pyramid and its window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from mandeldask.fractal.rationals import as_text, point_as_text
from mandeldask.lazy.cutting import square_of
from mandeldask.lazy.metadata import pyramid_of

if TYPE_CHECKING:
    from mandeldask.fractal.pyramid import Pyramid
    from mandeldask.lazy.described import WindowLike

WINDOW = "window"
"""Key of the window in an origin; the other keys are the parameters of a Pyramid."""


def origin_of(tree: Any, window: WindowLike | None) -> dict[str, Any]:
    """Return the parameters that determine the pixels of a window of a pyramid; empty for other trees."""
    described = getattr(tree, "attrs", {}).get("mandeldask") if hasattr(tree, "children") else None
    if not isinstance(described, Mapping):
        return {}
    origin = {name: value for name, value in described.items() if name != "fingerprint"}
    return origin if window is None else {**origin, WINDOW: _as_json(window)}


def source_of(origin: Mapping[str, Any]) -> tuple[Pyramid, WindowLike | None]:
    """Return the pyramid and the window that `origin_of` described.

    Raises
    ------
    ValueError
        If `origin` does not describe a pyramid.
    """
    described = {name: value for name, value in origin.items() if name != WINDOW}
    return pyramid_of({"mandeldask": described} if described else {}), _window(origin.get(WINDOW))


def _as_json(window: WindowLike) -> Any:
    if isinstance(window, Mapping):
        return {str(dim): [part.start, part.stop, part.step] for dim, part in window.items()}
    center, width = square_of(window)
    return [point_as_text(center), as_text(width)]


def _window(given: Any) -> WindowLike | None:
    if isinstance(given, Mapping):
        return {dim: slice(*part) for dim, part in given.items()}
    return cast("tuple[str, str] | None", given and tuple(given))
