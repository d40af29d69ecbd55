"""All coarser levels of one image, by `mandeldask.pyramid` and by other packages: seconds, memory, values.

    python -m venv /tmp/peers
    /tmp/peers/bin/pip install ndpyramid multiscale-spatial-image ome-zarr ngff-zarr topozarr \
        itk-core itk-filtering
    python benchmarks/pyramids.py --peers /tmp/peers/bin/python

Without the option, ours runs alone. The image is uint16 noise of 0, 1, 2 or 3 in a zarr array of 512 × 512 chunks,
whose true mean is nearly 1.5. Each package makes its levels in a process of its own, in interleaved rounds; imports
are not timed. `off`: largest difference of a level from means rounded once; `coarsest`: the mean of its last level,
which chained rounding drives away from 1.5. A package that returns floats does not round, and is at most 0.5 off.
`memory` is what the process's peak grew by; CPU seconds are those of all threads. ngff-zarr compiles its WebAssembly
in each process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import tifffile
import zarr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BEGIN = """
import json, resource, sys, time
import numpy as np, zarr
array, levels = zarr.open_array(sys.argv[1], mode="r"), int(sys.argv[2])
base = array.shape[0]
"""

END = """
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_SELF)
cpu = used.ru_utime + used.ru_stime - cpu
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
off = 0.0
whole = array[:].astype(np.uint64)
for level, got in enumerate(made, 1):
    side = 2**level
    exact = np.round(whole.reshape(base // side, side, base // side, side).sum((1, 3)) / side**2)
    off = max(off, float(np.abs(np.asarray(got, np.float64) - exact).max()))
print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": memory, "off": off, "coarsest": float(np.mean(made[-1]))}))
"""

MEASURED = """
before = resource.getrusage(resource.RUSAGE_SELF)
cpu, before = before.ru_utime + before.ru_stime, before.ru_maxrss / 1024
"""

WAYS = {
    "mandeldask": """
import mandeldask as md
md.pyramid  # imports what it needs
began = time.perf_counter()
tree = md.pyramid(array)
made = [tree[f"{level}/image"].values for level in range(levels, 0, -1)][::-1]
""",
    "ndpyramid": """
import xarray as xr, dask.array as da
from ndpyramid import pyramid_coarsen
began = time.perf_counter()
data = xr.Dataset({"image": (("y", "x"), da.from_zarr(array))})
tree = pyramid_coarsen(data, factors=[2**level for level in range(1, levels + 1)], dims=["y", "x"], boundary="trim")
made = [tree[f"{level}/image"].values for level in range(levels)]
""",
    "topozarr": """
import xarray as xr, dask.array as da
from topozarr import create_pyramid
began = time.perf_counter()
data = xr.Dataset({"image": (("y", "x"), da.from_zarr(array))}).assign_coords(x=np.arange(base), y=np.arange(base))
data = data.proj.assign_crs(spatial_ref="EPSG:3857") if hasattr(data, "proj") else data
pyramid = create_pyramid(data, levels=levels + 1)
tree = pyramid.as_datatree() if callable(getattr(pyramid, "as_datatree", None)) else pyramid.dt
made = [tree[f"{level}/image"].values for level in range(1, levels + 1)]
""",
    "multiscale-spatial-image": """
import dask.array as da
from spatial_image import to_spatial_image
from multiscale_spatial_image import Methods, to_multiscale
began = time.perf_counter()
image = to_spatial_image(da.from_zarr(array), dims=("y", "x"), name="image")
tree = to_multiscale(image, [2**level for level in range(1, levels + 1)], Methods.XARRAY_COARSEN)
made = [tree[f"scale{level}/image"].values for level in range(1, levels + 1)]
""",
    "ome-zarr": """
import warnings
warnings.simplefilter("ignore")
from ome_zarr.scale import Scaler
began = time.perf_counter()
made = Scaler(max_layer=levels, method="local_mean").local_mean(array[:])[1:]
""",
    "ngff-zarr": """
import dask.array as da
import ngff_zarr
began = time.perf_counter()
image = ngff_zarr.to_ngff_image(da.from_zarr(array), dims=["y", "x"])
factors = [2**level for level in range(1, levels + 1)]
scales = ngff_zarr.to_multiscales(image, factors, ngff_zarr.Methods.ITKWASM_BIN_SHRINK)
made = [each.data.compute() for each in scales.images[1:]]
""",
}


def once(python: str, name: str, path: Path, levels: int) -> dict[str, float] | str:
    """Return what one package took, or why it could not."""
    lines = WAYS[name].splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("began"))
    way = "\n".join([*lines[:start], MEASURED, *lines[start:]])
    script = BEGIN + way + END
    done = subprocess.run([python, "-c", script, path, str(levels)], capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:100]
    return json.loads(done.stdout.splitlines()[-1])


LARGE = """
import resource, sys, time, urllib.request
from pathlib import Path
import numpy as np, zarr
import mandeldask as md
from mandeldask.files.kinds import tiff
reads, pread = [], tiff.pread
def counted(file, offset, size):
    reads.append(offset)
    return pread(file, offset, size)
tiff.pread = counted
def used():
    found = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), found.ru_utime + found.ru_stime, found.ru_maxrss / 1024
with md.serve({"scan": Path(sys.argv[1])}, pyramid="auto", background=True, places=False, started=str) as server:
    before = used()
    images = zarr.open_group(f"{server.address}/zarr/v3/images/scan", mode="r")
    last = len(list(images.groups())) - 1
    coarsest = images[f"{last}/image"][:]
    after = used()
seconds, cpu, memory = (late - early for early, late in zip(before, after))
print(f"{last} levels, coarsest {coarsest.shape}: {seconds:.1f} s, {cpu:.1f} CPU s, memory grew by {memory:.0f} MiB")
print(f"{len(reads)} reads of {len(set(reads))} tiles; the process took {after[2]:.0f} MiB at most")
"""


def large(side: int) -> None:
    """Say what the coarsest level of a TIFF costs a server: time, memory, and how often tiles are read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.tif"
        steps = np.arange(side, dtype=np.uint32)

        def tiles() -> Iterator[NDArray[np.uint8]]:
            for top in range(0, side, 512):
                for left in range(0, side, 512):
                    yield np.add.outer(steps[top : top + 512] // 7, steps[left : left + 512] // 5).astype(np.uint8)

        tifffile.imwrite(path, tiles(), shape=(side, side), dtype=np.uint8, tile=(512, 512), compression="zlib")
        subprocess.run([sys.executable, "-c", LARGE, path], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="Python that has the other packages")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, help="instead: a tiled TIFF of so many pixels along each side, served")
    options = parser.parse_args()
    if options.large:
        large(options.large)
        return
    levels = (options.size // 512).bit_length() - 1
    names = list(WAYS) if options.peers else ["mandeldask"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.zarr"
        noise = np.random.default_rng(0).integers(0, 4, (options.size, options.size), np.uint16)
        zarr.create_array(path, data=noise, chunks=(512, 512))
        print(f"{levels} levels of {options.size} × {options.size} uint16, true mean {noise.mean():.4f}")
        runs: dict[str, list[dict[str, float] | str]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                runs[name].append(once(sys.executable if name == "mandeldask" else options.peers, name, path, levels))
    for name, found in runs.items():
        good = [each for each in found if not isinstance(each, str)]
        if not good:
            print(f"{name:26} {found[0]}")
            continue
        keys = ("seconds", "cpu", "memory", "off", "coarsest")
        seconds, cpu, memory, off, coarsest = (median(each[key] for each in good) for key in keys)
        print(f"{name:26} {seconds:6.2f} s {cpu:6.2f} CPU s {memory:6.0f} MiB  off {off:4.2f}  coarsest {coarsest:.4f}")


if __name__ == "__main__":
    main()
