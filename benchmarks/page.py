"""How soon the page shows a view: coarse, sharp, and how smoothly it moves. Needs Chromium.

    python benchmarks/page.py             views not asked for before
    python benchmarks/page.py --cold      the first view of all too, kernels compiled again
    python benchmarks/page.py --gpu-like  Chromium composes its pages by the software GPU too

For each place it prints the milliseconds until the whole screen shows something of the place, in pixels of at most 64
of the screen's; until every pixel belongs to the view; and until nothing is left to improve. Then come the seconds of
CPU until it is sharp, of the server and of Chromium's drawing (its process `gpu-process`). The pictures are drawn by
software here, as on a machine without GPU.
For frames it also prints the time that the page's own script took of each, and how often an empty page gets one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import psutil
from playwright.sync_api import sync_playwright

SIZE = {"width": 1280, "height": 800}
PLACES = {
    "whole set": "#re=-0.65&im=0&width=3.4",
    "seahorse valley": "#re=-0.7453&im=0.1127&width=0.0065",
    "seahorse tails": "#re=-0.743643887037151&im=0.13182590420533&width=1e-5",
    "double spiral": "#re=-0.743643887037158704752191506114774&im=0.131825904205311970493132056385139&width=1e-9",
    "sea horses' end": "#re=-0.743643887037158704752191506114774&im=0.131825904205311970493132056385139&width=1e-28",
    "elephant valley": "#re=0.2925&im=0.0149&width=0.02",
    "period 3": "#re=-1.7577&im=0&width=0.06",
    "antenna": "#re=-1.9999&im=0&width=1e-3",
    "dendrite at i": "#re=0&im=1&width=0.3",
    "next to i, 1e-100": "#re=1e-101&im=1&width=1e-100",
}
OPENED = """() => {
  const { canvas, shown, level } = viewer;
  const points = [];
  for (let x = 0.5; x < 16; x++) {
    for (let y = 0.5; y < 10; y++) points.push([canvas.width * x / 16, canvas.height * y / 10]);
  }
  const holds = ({ box }, [x, y]) =>
    x >= box.left && x < box.left + box.width && y >= box.top && y < box.top + box.height;
  const fine = (shown ?? []).filter(({ tile, box }) => box.width <= 64 * tile.width);
  const own = fine.filter(({ tile }) => tile.level.key === level.key);
  return {
    coarse: points.every((point) => fine.some((drawn) => holds(drawn, point))),
    sharp: points.every((point) => own.some((drawn) => holds(drawn, point))),
    idle: canvas.dataset.state === "idle",
  };
}"""
WATCH = f"""async (until) => {{
  const began = performance.now();
  const state = {OPENED};
  const times = {{}};
  for (;;) {{
    await new Promise((next) => requestAnimationFrame(next));
    const seen = viewer.view === globalThis.before ? {{}} : state();
    for (const name of ["coarse", "sharp", "idle"]) if (seen[name]) times[name] ??= performance.now() - began;
    if (until in times) break;
  }}
  return times;
}}"""
FRAMES = """async () => {
  const { times, script } = { times: [], script: [] };
  const ask = window.requestAnimationFrame;
  window.requestAnimationFrame = (draw) => ask((now) => {
    const began = performance.now();
    draw(now);
    script.push(performance.now() - began);
  });
  const end = performance.now() + 4000;
  viewer.dive(-1.6);
  for (let now = 0; now < end; ) {
    now = await new Promise((next) => ask(next));
    times.push(now);
  }
  viewer.stop();
  window.requestAnimationFrame = ask;
  return [times.slice(1).map((now, at) => now - times[at]), script];
}"""
EMPTY = """async () => {
  const times = [];
  const gl = document.body.appendChild(document.createElement("canvas")).getContext("webgl2");
  [gl.canvas.width, gl.canvas.height] = [innerWidth, innerHeight];
  for (const end = performance.now() + 2000; (times.at(-1) ?? 0) < end; ) {
    times.push(await new Promise((next) => requestAnimationFrame(next)));
    gl.clearColor(times.length % 2, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }
  return times.slice(1).map((now, at) => now - times[at]);
}"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cold", action="store_true", help="compile kernels again, and time the first view of all")
    parser.add_argument("--gpu-like", action="store_true", help="have Chromium compose pages by its software GPU")
    options = parser.parse_args()
    flags = ["--enable-unsafe-swiftshader", *(["--use-angle=swiftshader"] if options.gpu_like else [])]
    with tempfile.TemporaryDirectory() as folder:
        cache = {"NUMBA_CACHE_DIR": folder} if options.cold else {}
        began = time.perf_counter()
        command = [sys.executable, "-m", "mandeldask", "serve", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **cache}) as server:
            address = next(line.split()[-1] for line in server.stdout if line.startswith("Viewer"))
            print(f"server ready after {time.perf_counter() - began:.1f} s")
            try:
                measure(address, flags, psutil.Process(server.pid))
            finally:
                server.terminate()


def spent(server: psutil.Process) -> tuple[float, float]:
    """Return the seconds of CPU of the server, and of what draws for Chromium."""
    drawing = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--type=gpu-process" in process.cmdline():
                drawing += sum(process.cpu_times()[:2])
    return sum(server.cpu_times()[:2]), drawing


def frames_of(milliseconds: list[float]) -> str:
    """Return their median, and what 95 % come within."""
    late = sorted(milliseconds)[int(0.95 * len(milliseconds))]
    return f"{statistics.median(milliseconds):.0f} ms, 95 % within {late:.0f} ms"


def measure(address: str, flags: list[str], server: psutil.Process) -> None:
    """Print the times of every place, and of frames."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", *flags]
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = chromium.new_page(viewport=SIZE)
        began = time.perf_counter()
        page.goto(address)
        while not page.evaluate(f"() => window.viewer && ({OPENED})().coarse"):
            page.wait_for_timeout(20)
        coarse = time.perf_counter() - began
        while not page.evaluate(f"() => ({OPENED})().idle"):
            page.wait_for_timeout(20)
        print(f"page opened: coarse after {coarse:.1f} s, complete after {time.perf_counter() - began:.1f} s")
        print(f"{'milliseconds':20}{'coarse':>8}{'sharp':>8}{'complete':>10}   CPU s: server, drawing")
        for name, link in PLACES.items():
            page.evaluate("() => { globalThis.before = viewer.view; }")
            page.evaluate(f"() => {{ location.hash = {link!r}; }}")
            before = spent(server)
            times = page.evaluate(WATCH, "sharp")
            shares = [after - earlier for earlier, after in zip(before, spent(server), strict=True)]
            began = time.perf_counter()
            page.wait_for_selector("canvas[data-state=idle]", timeout=600_000)
            complete = times["sharp"] + 1000 * (time.perf_counter() - began)
            columns = f"{times['coarse']:8.0f}{times['sharp']:8.0f}{complete:10.0f}"
            print(f"{name:20}{columns}{shares[0]:11.2f}{shares[1]:10.2f}", flush=True)
        for name in ("whole set", "seahorse tails", "sea horses' end"):
            page.evaluate(f"() => {{ location.hash = {PLACES[name]!r}; }}")
            page.wait_for_timeout(100)
            page.wait_for_selector("canvas[data-state=idle]", timeout=600_000)
            frames, script = page.evaluate(FRAMES)
            print(f"diving from {name}: a frame every {frames_of(frames)}; script {frames_of(script)}", flush=True)
        empty = chromium.new_page(viewport=SIZE)
        print(f"a page with nothing but an empty canvas: a frame every {frames_of(empty.evaluate(EMPTY))}")
        chromium.close()


if __name__ == "__main__":
    main()
