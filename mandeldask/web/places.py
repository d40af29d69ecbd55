"""Trees of places: opened by their spec and kept open for a while."""

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
"""Threads that open places. Writing all documents takes some milliseconds a level and blocks other Python threads."""

MAX_OPENING = 256
"""Greatest number of places waiting to be opened; clients take turns."""


class OpenPlaces:
    """Cache of the places opened last. Each is opened once, in separate threads, for any number of requests.

    Parameters
    ----------
    places : callable
        Makes the tree of a place from its spec.
    view : callable
        Makes the view of a tree in a format.
    most, most_bytes : int
        Greatest number of places kept open, and of bytes in memory for them.
    """

    def __init__(
        self, places: Callable[[str], Node], view: Callable[..., ZarrView], most: int, most_bytes: int
    ) -> None:
        self._make = places
        self._view = view
        least = most_bytes // most
        self.views: SharedCache[ZarrView] = SharedCache(most_bytes, lambda view: max(least, view.held_bytes()))
        self._openers = Pool(OPENERS, MAX_OPENING)

    async def open(self, spec: str, number: int, key: str, receive: Receive | None = None) -> ZarrView:
        """Return the view of a place; opening stops when the last client that waits for it disconnects.

        A view that is opened now has `key`'s document, or array, ready.

        Raises
        ------
        ClientGone
            If the client of `receive` disconnected first.
        Refusal
            404 or 403 if `places` raises LookupError or PermissionError; 503 if too many are being opened.
        """
        found = self.views.ask((spec, number), partial(self._open, spec, number, key))
        if not isinstance(found, Seat):
            return found
        try:
            with found:
                work = found.get(self._openers)
                return await (work if receive is None else while_connected(work, receive))
        except Busy as error:
            msg = f"{MAX_OPENING} places are already waiting to be opened; try again later"
            raise Later(msg, error.wait_s) from None
        except LookupError as error:
            raise Refusal(404, str(error)) from error
        except PermissionError as error:
            raise Refusal(403, str(error)) from error

    def _open(self, spec: str, number: int, key: str) -> ZarrView:
        view: ZarrView = self._view(self._make(spec), number)
        current().check()  # all clients may have disconnected
        view.find(key)  # opens the level and writes the document: too long for the event loop
        return view
