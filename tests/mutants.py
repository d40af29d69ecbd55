"""Does a test notice when an error bound is wrong? ``python tests/mutants.py [NAME ...] [--half]``: ``make mutants``.

Finds every constant that is declared ``NAME: ErrorBound = ...``, sets it to zero, one at a time, in a copy of the
package (a factor above 1 to 1), and runs the tests of its module. Each must fail: exits with 1 if one passes.
With `--half` constants are halved too; those that survive are listed: how much larger than needed a bound is.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
ENGINE = Path("mandeldask/fractal/escape")


class Mutant(NamedTuple):
    """A constant and what it is multiplied by."""

    path: Path
    name: str
    expression: str
    share: float

    @property
    def tests(self) -> Path:
        """The tests of the constant's module."""
        return Path("tests/fractal/escape") / self.path.relative_to(ENGINE).with_name(f"test_{self.path.name}")

    def __str__(self) -> str:
        return f"{self.path.relative_to(ENGINE).with_suffix('')}.{self.name} × {self.share:g}"


def constants() -> list[tuple[Path, str, str]]:
    """Return path, name and expression of every constant that bounds an error."""
    found = []
    for path in sorted((ROOT / ENGINE).rglob("*.py")):
        source = path.read_text()
        found += [
            (path.relative_to(ROOT), node.target.id, ast.get_source_segment(source, node.value))
            for node in ast.parse(source).body
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "ErrorBound" and node.value
        ]
    return found


def is_noticed(mutant: Mutant) -> bool:
    """Return whether the tests of its module fail."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "mandeldask", Path(folder) / "mandeldask", ignore=shutil.ignore_patterns("__pycache__"))
        target = Path(folder) / mutant.path
        declared = f"{mutant.name}: ErrorBound = {mutant.expression}"
        source = target.read_text()
        if source.count(f"{declared}\n") != 1:
            msg = f"{mutant.path} must declare {mutant.name} on one line"
            raise ValueError(msg)
        value = f"(lambda value: 1.0 + (value - 1.0) * {mutant.share} if 1.0 < value < 4.0 else value * {mutant.share})"
        target.write_text(source.replace(f"{declared}\n", f"{mutant.name} = {value}({mutant.expression})\n"))
        environment = {**os.environ, "PYTHONPATH": folder, "NUMBA_CACHE_DIR": f"{folder}/cache"}
        command = [sys.executable, "-P", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", str(mutant.tests)]
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if ran.returncode not in {0, 1}:
            msg = f"{mutant}: pytest ended with {ran.returncode}\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
            raise RuntimeError(msg)
        return ran.returncode == 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only constants or modules whose path holds one of these")
    parser.add_argument("--half", action="store_true", help="halve constants too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    mutants = [
        Mutant(path, name, expression, share)
        for path, name, expression in constants()
        for share in ((0.0, 0.5) if options.half else (0.0,))
        if not options.names or any(part in f"{path}:{name}" for part in options.names)
    ]
    survived = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for mutant, noticed in zip(mutants, pool.map(is_noticed, mutants), strict=True):
            print(f"{'noticed ' if noticed else 'SURVIVED'} {mutant}", flush=True)
            if not noticed:
                survived.append(mutant)
    at_zero = [mutant for mutant in survived if mutant.share == 0.0]
    print(f"{len(mutants)} mutants, {len(survived)} survived, {len(at_zero)} of them at zero")
    return 1 if at_zero else 0


if __name__ == "__main__":
    raise SystemExit(main())
