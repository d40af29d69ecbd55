"""Levels, fields and windows can be added to a target later; different content is refused with its differences."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
import zarr
from zarr.codecs import ZstdCodec

import mandeldask as md
from mandeldask.cli.commands import run
from mandeldask.exports import present
from mandeldask.exports.jobs import PlannedArray, jobs_of
from mandeldask.exports.survey import UNKNOWN, survey
from mandeldask.exports.targets import open_target
from mandeldask.zarrview.formats import V3
from mandeldask.zarrview.nodes import Array

FIELDS = ("iterations", "smooth")


def pyramid(**changed):
    return md.open_pyramid(**{"levels": 3, "tilesize": 16, "maxiter": 50, "chunks": None, **changed})


def stamps(target):
    return {path: path.stat().st_mtime_ns for path in target.rglob("*") if path.is_file()}


def test_fields_are_added_later(tmp_path):
    target = tmp_path / "out.zarr"
    md.export(pyramid(), target, levels=[1, 2])
    before = {path: stamp for path, stamp in stamps(target).items() if "iterations" in path.parts and "c" in path.parts}
    md.export(pyramid(fields=FIELDS), target, levels=[2])
    after = stamps(target)
    assert all(after[path] == stamp for path, stamp in before.items())
    group = zarr.open_group(target, mode="r")
    for level, field in [("1", "smooth"), ("2", "iterations"), ("2", "smooth")]:
        np.testing.assert_array_equal(group[f"{level}/{field}"][...], pyramid(fields=FIELDS)[f"{level}/{field}"])
    assert [image["name"] for image in group.attrs["ome"]["multiscales"]] == list(FIELDS)
    assert md.verify(target, sample=None).ok


@pytest.mark.parametrize(("there", "window"), [(FIELDS, None), (("distance",), ("-1.25+0.1j", "1.3"))])
def test_a_field_of_another_pass_joins_and_leaves_what_is_there(tmp_path, there, window):
    first, last = pyramid(fields=there, maxiter=999), pyramid(fields=(*FIELDS, "distance"), maxiter=999)
    kept, target = there[-1], tmp_path / "out.zarr"
    md.export(first, target, levels=[2], window=window)
    cut = min((target / f"2/{kept}/c").glob("*/*"))
    cut.unlink()
    before = {path: stamp for path, stamp in stamps(target).items() if "c" in path.parts}
    md.export(last, target, levels=[1, 2], window=window)
    after = stamps(target)
    assert all(after[path] == stamp for path, stamp in before.items())
    for name, tree in [("first", first), ("last", last)]:
        md.export(tree, tmp_path / name, levels=[2], window=window)
    group = zarr.open_group(target, mode="r")
    for field in (*FIELDS, "distance"):
        alone = zarr.open_group(tmp_path / ("first" if field == kept else "last"), mode="r")
        np.testing.assert_array_equal(group[f"2/{field}"][...], alone[f"2/{field}"][...])
    assert [image["name"] for image in group.attrs["ome"]["multiscales"]] == [*FIELDS, "distance"]
    assert md.verify(target, sample=None).ok
    assert md.export(last, target, levels=[1, 2], window=window).written == 0
    cut.unlink()
    assert md.verify(target, sample=None, repair=True).faults == ((str(cut.relative_to(target)), "missing"),)
    assert md.verify(target, sample=None).ok


def test_windows_are_added_later(tmp_path):
    target = tmp_path / "out.zarr"
    one, two = (md.window(center, "0.1", shape=(16, 16), maxiter=50) for center in ("0", "1"))
    md.export({"one": one}, target)
    assert md.export({"one": one, "two": two}, target).written == 3
    np.testing.assert_array_equal(zarr.open_group(target, mode="r")["two/iterations"][...], two.iterations)


@pytest.mark.parametrize(
    ("tree", "options", "said"),
    [
        (pyramid(maxiter=51, fields=FIELDS), {}, "maxiter 50, not 51"),
        (pyramid(center="1j", fields=FIELDS), {}, r"center 0\+0j, not 0\+1j"),
        (pyramid(fields=(*FIELDS, "distance"), tolerance={"smooth": "1/64"}), {}, "at 2/smooth"),
        (pyramid(fields=FIELDS), {"chunks": 8}, r"chunks \[16, 16\], not \[8, 8\]"),
        (pyramid(fields=FIELDS), {"shards": 32}, r"shards null, not \[32, 32\]"),
        (pyramid(fields=FIELDS), {"compressors": ZstdCodec()}, 'codecs .*gzip.*, not .*"zstd"'),
        (pyramid(fields=FIELDS), {"window": {"y": slice(8)}}, r"shape \[32, 32\], not \[8, 32\]"),
        (pyramid(fields=FIELDS), {"zarr_format": 2}, "another Zarr format"),
        (pyramid(), {}, "contains other data: 2/smooth, which is not in this tree"),
    ],
)
def test_what_does_not_agree_is_refused_before_a_byte_is_written_and_named(tmp_path, tree, options, said):
    target = tmp_path / "out.zarr"
    md.export(pyramid(fields=FIELDS), target, levels=[2])
    before = stamps(target)
    with pytest.raises(ValueError, match=said):
        md.export(tree, target, levels=[2], **options)
    assert stamps(target) == before


def test_marks_of_an_earlier_version_say_less(tmp_path):
    target = tmp_path / "out.zarr"
    md.export(pyramid(), target, levels=[2])
    mark = target / "2/iterations/.export.json"
    mark.write_text(json.dumps({"content": json.loads(mark.read_text())["content"]}))
    assert md.export(pyramid(), target, levels=[2]).written == 0
    mark.write_text('{"content": "other"}')
    with pytest.raises(ValueError, match="different elements, chunks or codecs"):
        md.export(pyramid(), target, levels=[2])


@pytest.mark.parametrize("window", [("-0.75+0.1j", "1.3"), {"y": slice(3, 20), "x": slice(None, 9)}])
def test_verify_knows_the_window_from_the_marks(tmp_path, window):
    target = tmp_path / "out.zarr"
    md.export(pyramid(), target, levels=[0, 1], window=window)
    found = md.verify(target, sample=None)
    assert found.ok
    assert found.compared == found.chunks
    group = zarr.open_group(target, mode="r+")
    group["1/iterations"][0, 0] += 1
    assert [fault for _, fault in md.verify(target, sample=None, repair=True).faults] == ["damaged"]
    assert md.verify(target, sample=None).ok


def test_a_page_link_names_the_window_on_the_command_line(tmp_path, capsys):
    target = str(tmp_path / "out.zarr")
    link = "http://127.0.0.1:8000/#re=-0.75&im=0.1&width=1.3"
    line = ["export", target, "--levels", "3", "--tilesize", "16", "--only", "1-2", "--window", link, "--quiet"]
    assert run(line) == 0
    assert run(["verify", target, "--full", "--quiet"]) == 0
    assert run(["verify", target, "--full", "--window", link, "--quiet"]) == 0
    assert "compared with the source, all right" in capsys.readouterr().out
    assert run(["verify", target, "--full", "--window", "-0.75+0.1j,0.9", "--quiet"]) != 0
    assert "but its source is one of" in capsys.readouterr().err


def test_planning_takes_some_bytes_for_each_chunk(tmp_path, monkeypatch):
    side = 256
    array = Array((side, side), np.dtype("u1"), lambda _: None, (1, 1), fingerprint="planned")
    planned = PlannedArray("a", V3().store(array), V3())
    target = open_target(tmp_path / "out.zarr")
    lines = "".join(f"c/{row}/{col} 5 0000002a\n" for row in range(side) for col in range(side))
    target.append("a/.export-x.log", lines)
    monkeypatch.setattr(type(target), "sizes", lambda *_: sizes(side))
    tracemalloc.start()
    try:
        (job,) = jobs_of(target, [planned])
        pending = present.pending_job(job)
        assert sum(1 for _ in pending.items((0, 1))) == side
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert pending.missing == side
    assert peak < 100 * side**2  # the text of the ledger is a third of it
    found = survey(target, planned)
    assert found.expected(3) == (5, 42)
    assert found.sizes[1] != UNKNOWN


def sizes(side):
    yield ".export-x.log", None
    for row in range(side - 1):
        for col in range(side):
            yield f"c/{row}/{col}", 5
