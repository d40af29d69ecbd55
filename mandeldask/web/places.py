"""Places that are trees: opened by their spec, and kept open for a while."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mandeldask.cancellation import current
from mandeldask.flights import Seat
from mandeldask.shared_cache import SharedCache
from mandeldask.web.disconnects import while_connected
from mandeldask.web.messages import Later, Refusal
from mandeldask.zarrview.pool import Busy, Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive

    from mandeldask.zarrview.nodes import Node
    from mandeldask.zarrview.view import ZarrView

OPENERS = 2
"""Threads that open places, each in a tenth of a second; other threads of Python wait for most of it."""

MAX_OPENING = 256
"""Places that may wait to be opened; those of different clients take turns."""


class OpenPlaces:
    """The places opened last; each is opened once, in a thread of their own, however many ask for it.

    Parameters
    ----------
    places : callable
        Makes the tree of a place from its spec.
    view : callable
        Makes the view of a tree in a format.
    most, most_bytes : int
        Places kept open, and bytes that they take, at most.
    """

    def __init__(
        self, places: Callable[[str], Node], view: Callable[..., ZarrView], most: int, most_bytes: int
    ) -> None:
        self._make = places
        self._view = view
        least = most_bytes // most
        self.views: SharedCache[ZarrView] = SharedCache(most_bytes, lambda view: max(least, view.held_bytes()))
        self._openers = Pool(OPENERS, MAX_OPENING)

    async def open(self, spec: str, number: int, receive: Receive | None = None) -> ZarrView:
        """Return the view of a place; no longer opened once the last client has gone that waits for it.

        Raises
        ------
        ClientGone
            If the client of `receive` went first.
        Refusal
            404 or 403, as the callable that makes places says; 503 if too many are being opened.
        """
        found = self.views.ask((spec, number), partial(self._open, spec, number))
        if not isinstance(found, Seat):
            return found
        try:
            with found:
                work = found.get(self._openers)
                return await (work if receive is None else while_connected(work, receive))
        except Busy as error:
            msg = f"{MAX_OPENING} places wait already to be opened"
            raise Later(msg, error.wait_s) from None
        except LookupError as error:
            raise Refusal(404, str(error)) from error
        except PermissionError as error:
            raise Refusal(403, str(error)) from error

    def _open(self, spec: str, number: int) -> ZarrView:
        view: ZarrView = self._view(self._make(spec), number)
        current().check()  # all who asked may have gone
        view.names()  # writes the root's documents: some 50 ms for 50 levels, which the event loop would miss
        return view
