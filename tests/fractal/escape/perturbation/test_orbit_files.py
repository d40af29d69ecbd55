"""Reference orbits that processes share through a folder."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys

import numpy as np
import pytest

from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.fractal.escape.perturbation import orbit_files, orbit_source
from mandeldask.fractal.escape.perturbation.orbit_files import OrbitFolder
from mandeldask.fractal.escape.perturbation.reference_orbit import ReferenceOrbit
from mandeldask.fractal.rationals import as_point

SEAHORSE = as_point("-0.743643887037158704752191506114774+0.131825904205311970493132056385139j")
BITS, LENGTH = 400, 50_000


@pytest.fixture
def another_process(monkeypatch):
    """Forget what this process keeps, as another would know nothing of it."""

    def forget():
        orbit_source.orbits.clear()

    forget()
    return forget


@pytest.fixture
def walked(monkeypatch):
    """How far orbits were extended."""
    lengths = []
    extended = ReferenceOrbit.extended

    def reported(orbit, length):
        longer = extended(orbit, length)
        lengths.append(len(longer) - len(orbit))
        return longer

    monkeypatch.setattr(ReferenceOrbit, "extended", reported)
    return lengths


def test_an_orbit_is_fetched_as_it_was_computed_and_extended_from_there(tmp_path, another_process, walked):
    first = OrbitFolder(tmp_path)(SEAHORSE, BITS, LENGTH)
    another_process()
    fetched = OrbitFolder(tmp_path)(SEAHORSE, BITS, LENGTH)
    assert fetched is not first
    np.testing.assert_array_equal(fetched.x, first.x)
    longer = OrbitFolder(tmp_path)(SEAHORSE, BITS, LENGTH + 1000)
    another_process()
    assert len(OrbitFolder(tmp_path)(SEAHORSE, BITS, LENGTH)) == LENGTH + 1000
    assert sum(walked) == LENGTH + 1000
    expected = ReferenceOrbit.start(SEAHORSE, BITS).extended(LENGTH + 1000)
    np.testing.assert_array_equal(longer.y, expected.y)
    assert longer.state == expected.state


def test_short_orbits_are_not_worth_a_file(tmp_path, another_process):
    OrbitFolder(tmp_path)(SEAHORSE, BITS, 100)
    assert not list(tmp_path.iterdir())


def test_processes_that_ask_at_a_time_compute_it_once(tmp_path):
    code = """
import json, sys
from pathlib import Path
from mandeldask.fractal.escape.perturbation.orbit_files import OrbitFolder
from mandeldask.fractal.rationals import as_point
from mandeldask.fractal.escape.perturbation.reference_orbit import _OrbitExtension
walked, walk = [], _OrbitExtension.iterate
def counted(walker, steps):
    before = walker.m
    walk(walker, steps)
    walked.append(walker.m - before)
_OrbitExtension.iterate = counted
input()
orbit = OrbitFolder(Path(sys.argv[1]))(as_point(sys.argv[2]), 400, 300_000)
print(json.dumps([sum(walked), len(orbit), float(orbit.x.sum())]))
"""
    command = [sys.executable, "-c", code, str(tmp_path), "-0.75+0.0000001j"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    reported = [json.loads(process.communicate(timeout=120)[0]) for process in running]
    assert sorted(steps for steps, _, _ in reported) == [0, 0, 300_000]
    assert len({(length, total) for _, length, total in reported}) == 1


def test_whoever_waits_can_be_cancelled(tmp_path, another_process):
    OrbitFolder(tmp_path)(SEAHORSE, BITS, LENGTH)
    (lock,) = tmp_path.glob("*.lock")
    another_process()
    given_up = Cancellation()
    given_up.cancel()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with cancellable(given_up), pytest.raises(Cancelled):
            OrbitFolder(tmp_path)(SEAHORSE, BITS, LENGTH)
    assert len(OrbitFolder(tmp_path)(SEAHORSE, BITS, LENGTH)) == LENGTH


def test_the_folder_is_bounded(tmp_path, another_process, monkeypatch):
    monkeypatch.setattr(orbit_files, "MAX_BYTES", 3 * 4 * 8 * LENGTH)  # two orbits and a half
    for bits in (400, 401, 402, 403):
        OrbitFolder(tmp_path)(SEAHORSE, bits, LENGTH)
    assert len([path for path in tmp_path.iterdir() if not path.suffix]) == 2


def test_a_folder_that_has_gone_costs_no_answer(tmp_path, another_process):
    assert len(OrbitFolder(tmp_path / "gone")(SEAHORSE, BITS, LENGTH)) == LENGTH
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[:1000],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:-1],
        lambda raw: raw[:5000] + bytes([raw[5000] ^ 1]) + raw[5001:],
        lambda raw: b"not an orbit of ours",
        lambda raw: b"cos\nsystem\n(S'exit 1'\ntR.",
    ],
)
def test_a_damaged_or_foreign_file_is_computed_again(damage, tmp_path, another_process):
    first = OrbitFolder(tmp_path)(SEAHORSE, BITS, LENGTH)
    (file,) = (path for path in tmp_path.iterdir() if not path.suffix)
    file.write_bytes(damage(file.read_bytes()))
    another_process()
    np.testing.assert_array_equal(OrbitFolder(tmp_path)(SEAHORSE, BITS, LENGTH).x, first.x)
    another_process()
    np.testing.assert_array_equal(OrbitFolder(tmp_path)(SEAHORSE, BITS, LENGTH).x, first.x)


def test_the_orbit_of_another_point_is_not_taken(tmp_path, another_process):
    OrbitFolder(tmp_path)(SEAHORSE, BITS, LENGTH)
    (other,) = (path for path in tmp_path.iterdir() if not path.suffix)
    another_process()
    OrbitFolder(tmp_path)(SEAHORSE, BITS + 1, LENGTH)
    (file,) = (path for path in tmp_path.iterdir() if not path.suffix and path != other)
    file.write_bytes(other.read_bytes())
    another_process()
    assert OrbitFolder(tmp_path)(SEAHORSE, BITS + 1, LENGTH).bits == BITS + 1


def test_a_full_disk_costs_no_answer_and_leaves_nothing(tmp_path, another_process):
    code = f"""
import resource, signal, sys
from pathlib import Path
from mandeldask.fractal.escape.perturbation.orbit_files import OrbitFolder
from mandeldask.fractal.rationals import as_point
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # writing more is an OSError, as on a full disk
print(len(OrbitFolder(Path(sys.argv[1]))(as_point("-0.75+0.0000001j"), {BITS}, {LENGTH})))
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == str(LENGTH)
    assert {path.suffix for path in tmp_path.iterdir()} == {".lock"}
