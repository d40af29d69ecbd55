"""Reference orbits: against flint, by value, and under cancellation."""

import pickle
import threading
import time

import numpy as np
import pytest
from flint import acb, arb, ctx, fmpq

from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.fractal.cost import cost
from mandeldask.fractal.escape.perturbation import reference_orbit
from mandeldask.fractal.escape.perturbation.reference_orbit import ReferenceOrbit
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.rationals import as_point
from mandeldask.fractal.suggest_maxiter import suggest_maxiter
from mandeldask.shared_cache import SharedCache

SEAHORSE = as_point("-0.743643887037158704752191506114774+0.131825904205311970493132056385139j")
FEIGENBAUM = as_point("-1.401155189092050606")


def test_every_point_is_within_its_bound():
    orbit = ReferenceOrbit.start(SEAHORSE, 200).extended(2000)
    with ctx.workprec(3000):
        c = acb(*(arb(fmpq(part.numerator, part.denominator)) for part in SEAHORSE))
        z = acb(0)
        for m in range(2001):
            kept = acb(orbit.x[m], orbit.y[m])
            assert abs(kept - z) <= 2.0**-51.9 * abs(z), m
            z = z * z + c


def test_a_deep_orbit_keeps_its_precision():
    orbit = ReferenceOrbit.start(SEAHORSE, 3500).extended(2000)
    assert not orbit.ended
    assert np.ldexp(orbit.error.mantissa, orbit.error.exponent + 2000) < 2.0**-600


def test_an_extended_orbit_is_the_orbit():
    long = ReferenceOrbit.start(SEAHORSE, 200).extended(3000)
    grown = ReferenceOrbit.start(SEAHORSE, 200).extended(1).extended(700).extended(3000)
    assert (grown.x == long.x).all()
    assert (grown.y == long.y).all()
    assert grown.state == long.state
    assert grown.error == long.error


def test_integers_without_gmpy2_give_the_same_orbit(monkeypatch):
    with_gmpy2 = ReferenceOrbit.start(SEAHORSE, 300).extended(500)
    monkeypatch.setattr(reference_orbit, "integer", int)
    plain = ReferenceOrbit.start(SEAHORSE, 300).extended(500)
    assert plain.state == with_gmpy2.state
    np.testing.assert_allclose(plain.x, with_gmpy2.x, rtol=2.0**-51, atol=0)


def test_an_orbit_is_a_value_that_pickles():
    orbit = ReferenceOrbit.start(SEAHORSE, 200).extended(100)
    copy = pickle.loads(pickle.dumps(orbit))
    assert (copy.extended(200).x == orbit.extended(200).x).all()


@pytest.mark.parametrize(("center", "length"), [("0", 1), ("-1", 2), ("3", 1), ("1+1j", 2)])
def test_where_an_orbit_ends(center, length):
    orbit = ReferenceOrbit.start(as_point(center), 100).extended(1000)
    assert orbit.ended
    assert len(orbit) == length


def test_the_tip_is_exact_for_ever():
    orbit = ReferenceOrbit.start(as_point("-2"), 100).extended(5000)
    assert not orbit.ended
    assert orbit.error.mantissa == 0.0
    assert len(orbit.edge) == 5000


@pytest.mark.parametrize("bits", [4000, 100_000])
def test_a_long_reference_is_given_up_at_once(bits):
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.cancel).start()
    with cancellable(cancellation), pytest.raises(Cancelled):
        ReferenceOrbit.start(SEAHORSE, bits).extended(10**9)  # would take hours


def test_what_is_shared_is_computed_once_and_bounded():
    made = []

    class Value:
        nbytes = 10

    def make(_):
        made.append(threading.get_ident())
        time.sleep(0.05)
        return Value()

    shared = SharedCache(25, lambda value: value.nbytes)
    threads = [threading.Thread(target=shared.extended, args=("a", lambda _: True, make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    for key in "bcd":
        shared.extended(key, lambda _: True, make)
    assert shared.size == 20


def test_who_waits_for_what_is_shared_can_be_cancelled():
    in_work, may_end, cancellation = threading.Event(), threading.Event(), Cancellation()
    shared = SharedCache(1)

    class Value:
        nbytes = 0

    def make(_):
        in_work.set()
        assert may_end.wait(60)
        return Value()

    worker = threading.Thread(target=shared.extended, args=("a", lambda _: True, make))
    worker.start()
    in_work.wait()
    threading.Timer(0.05, cancellation.cancel).start()
    with cancellable(cancellation), pytest.raises(Cancelled):
        shared.extended("a", lambda _: True, make)
    assert worker.is_alive()
    may_end.set()
    worker.join()
    kept = shared.extended("a", lambda _: True, lambda _: pytest.fail("what was in work is kept"))
    assert isinstance(kept, Value)


def test_cost_grows_with_depth_and_maxiter():
    shallow, deep = (cost(Grid.window("0", width, (512, 512)), 10_000) for width in ("1", "1e-500"))
    assert shallow.bits == 0
    assert deep.seconds > shallow.seconds
    assert cost(Grid.window("0", "1", (512, 512)), 20_000).seconds > shallow.seconds
    with pytest.raises(ValueError, match="maxiter"):
        cost(Grid.window("0", "1", (2, 2)), 2**32)


def test_fields_cost_more_and_single_pixels_no_more_than_their_own():
    tile = Grid.window("0", "1e-40", (64, 64))
    counts, potential, period = (cost(tile, 1000, fields) for fields in ("iterations", ("smooth",), ("period",)))
    assert counts.pixels < potential.pixels
    assert counts.pixels < period.pixels
    assert counts.reference == potential.reference > 0
    assert cost(tile[:1, :1], 1000).pixels == pytest.approx(counts.pixels / 64**2)


@pytest.mark.parametrize(("center", "costly"), [("-2+1e-60j", True), ("1j", False), ("2", False), ("-2+1e-6j", False)])
def test_fields_next_to_the_tip_are_estimated_as_integers(center, costly):
    tile = Grid.window(center, "1e-50", (64, 64))
    counts, potential = (cost(tile, 3000, (field,)) for field in ("iterations", "smooth"))
    assert (potential.integers > 1000 * counts.integers) == costly
    with pytest.raises(ValueError, match="fields"):
        cost(tile, 1000, ("colour",))


def test_a_suggested_maxiter_lets_pixels_escape():
    suggested = suggest_maxiter("-0.743643887037151+0.131825904205330j", "1e-9", (64, 64))
    assert 1000 < suggested < 20_000
    assert suggest_maxiter("-0.743643887037151+0.131825904205330j", "1e-9", (64, 64), most=2000) == 2000
    with pytest.raises(ValueError, match="width"):
        suggest_maxiter("0", "0")


@pytest.mark.parametrize(
    ("center", "width"),
    [(FEIGENBAUM, "1e-3"), (FEIGENBAUM, "1e-6"), ("-0.5", "3"), ("0.25", "1e-3"), (SEAHORSE, "1e-10")],
)
def test_hardly_a_pixel_escapes_past_a_suggested_maxiter(center, width):
    suggested = suggest_maxiter(center, width)
    counts = Mandelbrot(2 * suggested)(Grid.window(center, width, (64, 64)))["iterations"]
    assert np.mean((counts >= suggested) & (counts < 2 * suggested)) < 0.02


def test_nothing_is_computed_again_once_all_pixels_have_escaped(monkeypatch):
    computed = []
    whole = Mandelbrot.__call__
    monkeypatch.setattr(Mandelbrot, "__call__", lambda self, grid: computed.append(self.maxiter) or whole(self, grid))
    assert suggest_maxiter("0.5", "0.1") == 255
    assert computed == [510]
