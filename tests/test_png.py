"""PNG files written band by band, against Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mandeldask.png import texts_of, write_png


@pytest.mark.parametrize("rows", [1, 3, 7, 20])
def test_pillow_reads_what_is_written(tmp_path, rows):
    picture = np.random.default_rng(rows).integers(0, 256, (20, 13, 3), np.uint8)
    picture[5:12] = 7
    path = tmp_path / "x.png"
    with path.open("wb") as file:
        bands = (picture[start : start + rows] for start in range(0, 20, rows))
        write_png(file, (20, 13), bands, {"mandeldask": '{"width": "1e-30"}', "Title": "é"})
    with Image.open(path) as read:
        assert np.array_equal(np.asarray(read.convert("RGB")), picture)
        assert read.text == texts_of(path) == {"mandeldask": '{"width": "1e-30"}', "Title": "é"}


@pytest.mark.parametrize(("shape", "message"), [((2, 3, 3), "have 2 rows"), ((4, 2, 3), "does not fit")])
def test_bands_of_another_size_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        write_png(io.BytesIO(), (4, 3), [np.zeros(shape, np.uint8)], {})


def test_other_files_have_no_texts(tmp_path):
    (tmp_path / "x.png").write_bytes(b"no picture")
    assert texts_of(tmp_path / "x.png") == {}
