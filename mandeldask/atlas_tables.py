"""The atlas of the Mandelbrot set as a tree of tables, which are computed when a column is first read.

``python -m mandeldask.atlas_tables`` (`make places`) writes the page's list of places, with the same content as the
table.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.fractal import atlas
from mandeldask.fractal.atlas.misiurewicz import point_count
from mandeldask.fractal.atlas.nuclei import component_count
from mandeldask.fractal.atlas.sites import SITES
from mandeldask.fractal.rationals import as_text
from mandeldask.zarrview.nodes import Array, Group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

PERIODS = range(1, 11)
"""Periods of the listed components (983 components in total)."""

KINDS = ((2, 1), (2, 2), (3, 1), (3, 2), (4, 1), (4, 2), (5, 1), (5, 2), (6, 1), (6, 2))
"""Preperiods and periods of the listed Misiurewicz points (117 points in total)."""

_PICTURE_DIGITS = 8
"""Digits of a place beyond the first digit of its picture's width."""

PLACES = 36
"""Decimal places of points; their discs have a radius of 2^-128."""

TEXT = np.dtypes.StringDType()


def atlas_tree() -> Group:
    """Return the tables `nuclei`, `misiurewicz` and `places`, with one array per column, without computing them."""
    return Group(
        {name: _table(name, columns) for name, columns in _COLUMNS.items()},
        {"title": "An atlas of the Mandelbrot set: every point lies in a disc that is proven to contain it"},
    )


@dataclass(frozen=True, slots=True)
class Column:
    """Reads one column of one table."""

    table: str
    """Name of the table."""
    column: str
    """Name of the column."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return some of its rows."""
        return _rows(self.table)[self.column][window]


def _table(name: str, columns: Mapping[str, tuple[Any, str]]) -> Group:
    rows = _COUNTS[name]
    arrays = {
        column: Array(
            (rows,),
            np.dtype(dtype),
            Column(name, column),
            (rows,),
            ("row",),
            {"description": about},
            fingerprint=f"atlas {name} {column} {rows}",
        )
        for column, (dtype, about) in columns.items()
    }
    return Group(arrays)


@lru_cache(maxsize=3)
def _rows(table: str) -> dict[str, NDArray[Any]]:
    columns = _COLUMNS[table]
    rows = _MAKERS[table]()
    return {
        column: np.array([row[index] for row in rows], dtype)
        for index, (column, (dtype, _)) in enumerate(columns.items())
    }


def _nuclei() -> Sequence[tuple[Any, ...]]:
    found = [each for period in PERIODS for each in atlas.nuclei(period)]
    return [
        (
            each.period,
            each.kind,
            *map(_decimal, each.center),
            float(each.size),
            each.orientation,
            *map(str, each.angles),
        )
        for each in found
    ]


def _misiurewicz() -> Sequence[tuple[Any, ...]]:
    found = [each for kind in KINDS for each in atlas.misiurewicz(*kind)]
    return [
        (each.preperiod, each.period, *map(_decimal, each.center), each.multiplier.real, each.multiplier.imag)
        for each in found
    ]


def _places() -> Sequence[tuple[Any, ...]]:
    return [
        (site.name, as_text(site.center.re), as_text(site.center.im), as_text(site.width), site.about)
        for site in atlas.places()
    ]


def page_places() -> str:
    """Return the places of the atlas as the page's ``places.json``: as many digits as their pictures need."""
    rows = [
        {"name": site.name, **dict(zip(("re", "im"), _rounded(site), strict=True)), "width": _short(site.width)}
        for site in atlas.places()
    ]
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"


def _rounded(site: atlas.Site) -> tuple[str, ...]:
    """Return the parts of a place, with a few digits more than its picture shows."""
    one = 10 ** max(0, _PICTURE_DIGITS - Decimal(_short(site.width)).adjusted())
    return tuple(as_text(Fraction(round(part * one), one)) for part in site.center)


def _short(width: Fraction) -> str:
    return str(Context(prec=4).divide(Decimal(width.numerator), Decimal(width.denominator)).normalize()).lower()


def _decimal(value: Fraction) -> str:
    """Return a number as text of at most 36 decimal places."""
    return as_text(Fraction(round(value * 10**PLACES), 10**PLACES))


_POINT = {
    "re": (TEXT, "real part, as decimal text"),
    "im": (TEXT, "imaginary part, as decimal text"),
}

_COLUMNS: dict[str, dict[str, tuple[Any, str]]] = {
    "nuclei": {
        "period": ("u2", "least p with z_p = 0"),
        "kind": (TEXT, "cardioid or disc"),
        **_POINT,
        "size": ("f8", "length relative to the main cardioid"),
        "orientation": ("f8", "angle relative to the main cardioid, in radians"),
        "angle_1": (TEXT, "external angle of a ray that lands at its root, in turns"),
        "angle_2": (TEXT, "the other one"),
    },
    "misiurewicz": {
        "preperiod": ("u2", "iterates before the first periodic one"),
        "period": ("u2", "of the orbit from there on"),
        **_POINT,
        "multiplier_re": ("f8", "real part of the factor by which the set repeats"),
        "multiplier_im": ("f8", "imaginary part"),
    },
    "places": {
        "name": (TEXT, "what it is called"),
        **_POINT,
        "width": (TEXT, "plane units across of a picture"),
        "about": (TEXT, "what is seen there"),
    },
}
"""Columns of each table, with dtype and description."""

_MAKERS: dict[str, Callable[[], Sequence[tuple[Any, ...]]]] = {
    "nuclei": _nuclei,
    "misiurewicz": _misiurewicz,
    "places": _places,
}

_COUNTS = {
    "nuclei": sum(map(component_count, PERIODS)),
    "misiurewicz": sum(point_count(*kind) for kind in KINDS),
    "places": SITES,
}
"""Rows of each table, known before it is computed."""

if __name__ == "__main__":
    sys.stdout.write(page_places())
