"""Films: exact keyframes, each twice as deep as the last, and the frames between them."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.pyramid import auto_maxiter
from mandeldask.fractal.rationals import as_text
from mandeldask.picture import pillow
from mandeldask.png import write_png
from mandeldask.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

    from mandeldask.lazy.progress import Report

MANIFEST = "film.json"
"""Name of the file, in a folder of frames, that describes the film."""

KEYS = "keyframes"
"""Name of the folder of keyframes."""


@dataclass(frozen=True, slots=True)
class Film:
    """A zoom into one point at constant speed."""

    last: Scene
    """Scene of the last frame; its size is that of all frames."""
    start: str
    """Width of the first frame, in plane units."""
    frames: int
    """Number of frames."""
    maxiter: int | None = None
    """maxiter of every keyframe; None for one that grows with depth."""

    def __post_init__(self) -> None:
        if self.frames < 2:  # noqa: PLR2004  first and last
            msg = f"a film needs at least 2 frames, not {self.frames}"
            raise ValueError(msg)
        if Fraction(self.last.width) >= Fraction(self.start):
            msg = f"a film must end deeper than it begins: the last width {self.last.width} is not below {self.start}"
            raise ValueError(msg)

    @property
    def octaves(self) -> float:
        """Number of times that the width is halved from the first to the last frame."""
        first, last = Fraction(self.start), Fraction(self.last.width)
        whole = max(0, (first / last).__floor__().bit_length() - 1)
        return whole + math.log2(first / last / 2**whole)

    @property
    def keys(self) -> int:
        """Number of keyframes."""
        return math.floor(self.octaves) + 2

    def key(self, number: int) -> Scene:
        """Return the keyframe at depth `number` octaves; its sides are twice those of a frame."""
        height, width = self.last.shape
        extent = Fraction(self.start) / 2**number
        spacing = Grid.window(self.last.center, extent, (height, width), allow_huge=True).spacing
        most = auto_maxiter(spacing) if self.maxiter is None else self.maxiter
        return replace(self.last, width=as_text(extent), size=f"{2 * width}x{2 * height}", maxiter=most)

    def describes(self) -> str:
        """Return the text that describes the film in a folder of its frames."""
        return json.dumps(asdict(self), indent=2)


def keyframe(scene: Scene, path: Path, report: Report = lambda _done, _total: None) -> None:
    """Draw a keyframe into a file, atomically, unless the file exists."""
    if path.exists() and Scene.of_file(path) == scene:
        return
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            write_png(file, scene.shape, scene.bands(report), scene.texts)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def frames_of(film: Film, folder: Path, first: int = 0) -> Iterator[Image]:
    """Yield the frames from `first` on, made from the keyframes in `folder`.

    A frame between two keyframes is the first, cropped and reduced, with the second blended over its middle. The weight
    of the second grows with depth, so that there is no jump at a keyframe.
    """
    size = film.last.shape[::-1]
    held: dict[int, Image] = {}
    for number in range(first, film.frames):
        depth = film.octaves * number / (film.frames - 1)
        key = min(math.floor(depth), film.keys - 2)
        for each in (key, key + 1):
            if each not in held:
                held[each] = pillow().open(folder / key_name(each)).convert("RGB")
        held = {each: picture for each, picture in held.items() if each >= key}
        yield _between(held[key], held[key + 1], 2.0 ** (depth - key), size)


def key_name(number: int) -> str:
    """Return the file name of a keyframe."""
    return f"key-{number:05}.png"


def _between(outer: Image, inner: Image, scale: float, size: tuple[int, int]) -> Image:
    """Return a frame of 1 / `scale` (1 to 2) of the outer keyframe, with the inner keyframe or its middle."""
    box = pillow().Resampling.BOX
    frame: Image = outer.reduce(2) if scale == 1 else outer.resize(size, box, _middle(outer.size, 1 / scale))
    part = [max(1, round(side * scale / 2)) for side in size]
    if scale > 1:
        smaller = inner.resize(part, box)
        place = (size[0] - part[0]) // 2, (size[1] - part[1]) // 2
        mask = pillow().new("L", smaller.size, round(255 * (scale - 1)))
        frame.paste(smaller, place, mask)
    return frame


def _middle(size: tuple[int, int], share: float) -> tuple[float, float, float, float]:
    width, height = size
    return tuple(side * part / 2 for part in (1 - share, 1 + share) for side in (width, height))  # type: ignore[return-value]


def write_frames(film: Film, folder: Path, report: Report) -> None:
    """Write a film as numbered pictures; existing ones are kept.

    Raises
    ------
    ValueError
        If the folder contains other files, or the frames of another film.
    """
    manifest = folder / MANIFEST
    if manifest.exists():
        if manifest.read_text("utf-8") != film.describes():
            msg = f"{str(folder)!r} contains frames of another film: choose an empty folder"
            raise ValueError(msg)
    elif folder.exists() and any(folder.iterdir()):
        msg = f"{str(folder)!r} contains other files: choose an empty folder"
        raise ValueError(msg)
    (folder / KEYS).mkdir(parents=True, exist_ok=True)
    manifest.write_text(film.describes(), "utf-8")
    draw_keys(film, folder / KEYS, report)
    there = next((n for n in range(film.frames) if not (folder / frame_name(n)).exists()), film.frames)
    for number, picture in enumerate(frames_of(film, folder / KEYS, there), there):
        unfinished = folder / f"{frame_name(number)}.part"
        picture.save(unfinished, format="PNG")
        unfinished.replace(folder / frame_name(number))
        report(film.keys + number + 1, film.keys + film.frames)


def frame_name(number: int) -> str:
    """Return the file name of a frame."""
    return f"frame-{number:06}.png"


def draw_keys(film: Film, folder: Path, report: Report) -> None:
    """Draw all missing keyframes."""
    for number in range(film.keys):
        keyframe(film.key(number), folder / key_name(number))
        report(number + 1, film.keys + film.frames)


def write_film(film: Film, target: Path, rate: int, report: Report) -> None:
    """Write a film with ffmpeg; a folder next to it has the keyframes until it is complete.

    Raises
    ------
    ModuleNotFoundError
        If ffmpeg is not installed.
    ValueError
        If a side is odd, which the codec does not support, or if ffmpeg refuses the target.
    """
    program = ffmpeg()
    height, width = film.last.shape
    if height % 2 or width % 2:
        msg = f"the sides of a film must be even, not {film.last.size}"
        raise ValueError(msg)
    folder = target.with_name(f"{target.name}.{KEYS}")
    folder.mkdir(exist_ok=True)
    draw_keys(film, folder, report)
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as unfinished:
        whole = Path(unfinished) / target.name
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate), "-i", "-"]
        codec = ["-pix_fmt", "yuv420p", "-movflags", "+faststart"] if target.suffix.lower() == ".mp4" else []
        command = [program, "-loglevel", "error", "-y", *raw, *codec, str(whole)]
        _encode(command, film, folder, report)
        whole.replace(target)
    shutil.rmtree(folder)


def _encode(command: list[str], film: Film, folder: Path, report: Report) -> None:
    """Send every frame to ffmpeg."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as encoding:  # noqa: S603  arguments from this module
        pipe: Any = encoding.stdin
        try:
            for number, picture in enumerate(frames_of(film, folder)):
                pipe.write(picture.tobytes())
                report(film.keys + number + 1, film.keys + film.frames)
        except BrokenPipeError:
            pass  # ffmpeg has printed the reason
        _, output = encoding.communicate()
    if encoding.returncode:
        msg = f"ffmpeg could not write the film: {output.decode('utf-8', 'replace').strip().splitlines()[-1:]}"
        raise ValueError(msg)


def ffmpeg() -> str:
    """Return the path of ffmpeg.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed.
    """
    found = shutil.which("ffmpeg")
    if found is None:
        msg = "a film needs ffmpeg (https://ffmpeg.org), which is not installed; or use --out frames/ for pictures"
        raise ModuleNotFoundError(msg)
    return found
