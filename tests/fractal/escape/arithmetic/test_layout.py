"""Every row that a layout declares is the module constant of that name, and no two rows of a workspace overlap."""

from importlib import import_module

import pytest

from mandeldask.fractal.escape.arithmetic.layout import Layout

MODULES = (
    "arithmetic.taylor_model",
    "direct.block_counts",
    "direct.exterior_fields_stage",
    "direct.lanes",
    "direct.multidouble_lanes",
    "perturbation.block_model",
    "perturbation.doubledouble_lanes",
    "perturbation.delta_step",
    "perturbation.pixel_pool",
    "perturbation.plain_lanes",
)


@pytest.mark.parametrize("name", MODULES)
def test_rows_are_where_their_layout_says(name):
    module = vars(import_module(f"mandeldask.fractal.escape.{name}"))
    layouts = [value for value in module.values() if isinstance(value, Layout)]
    assert layouts
    compared = 0
    for layout in layouts:
        assert layout.offsets == tuple(k * layout.stride for k in range(len(layout.names)))
        for row in layout.names:
            if isinstance(module.get(row), int):
                compared += 1
                assert module[row] == layout[row], row
    assert compared >= 8


def test_names_of_rows_differ():
    with pytest.raises(ValueError, match="different names"):
        Layout.of("X Y", 8).then("X")


def test_only_rows_that_exist_are_renamed():
    with pytest.raises(ValueError, match="not in"):
        Layout.of("X Y", 8).renamed(Z="W")
