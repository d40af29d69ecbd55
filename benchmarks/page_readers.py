"""The reader of the set's own page and zarrita, which the other pages use: milliseconds a chunk, in Node, by turns.

python benchmarks/page_readers.py
"""

from __future__ import annotations

import json
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path

import mandeldask as md

HERE = Path(__file__).parent
FILES = HERE.parent / "mandeldask" / "web" / "browser" / "files"
ROUNDS = 15


def compressed(*paths: Path) -> int:
    """Return the bytes that files take in a wheel."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)
    return len(buffer.getvalue())


def main() -> None:
    for codec in ("none", "gzip"):
        with md.serve(md.Pyramid(levels=3, tilesize=256), background=True, codecs=codec) as server:
            command = ["node", str(HERE / "page_readers.mjs"), server.url("v3"), str(ROUNDS)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ratio = found["zarrita"] / found["own"]
        print(
            f"{codec}: own {found['own']:.3f} ms, zarrita {found['zarrita']:.3f} ms ({ratio:.2f} x), {found['same']=}"
        )
    for name in ("zarrita", "numcodecs-zstd", "numcodecs-blosc", "numcodecs-lz4"):
        path = FILES / "vendor" / f"{name}.js"
        print(f"{name}: {path.stat().st_size / 1000:.0f} kB, {compressed(path) / 1000:.0f} kB in the wheel")


if __name__ == "__main__":
    main()
