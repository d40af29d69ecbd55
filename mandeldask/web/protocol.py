"""HTTP/1.1 of one connection: uvicorn's httptools protocol, with a bound on all that a client can make it keep.

Of uvicorn's protocols httptools answers most requests a second (``python benchmarks/protocols.py``). It bounds nothing
itself, so the bytes, lines and seconds of a request are counted here.
"""

from __future__ import annotations

import select
from collections import deque
from typing import TYPE_CHECKING, Any

from mandeldask.internals.uvicorn_names import STATUS_LINE, HttpToolsProtocol
from mandeldask.web.messages import Reply, problem

if TYPE_CHECKING:
    import asyncio

    from mandeldask.web.connections import Connections

MAX_HEAD_BYTES = 32 << 10
"""Bytes of a request's line and headers; a place spelled with 1000 characters takes 2 KiB."""

MAX_LINES = 100
"""Header lines of a request; browsers send 20."""

MAX_BODY_BYTES = 64 << 10
"""Bytes of a body, which nothing here reads."""

MAX_AHEAD = 32
"""Requests that a connection takes before it has answered the first of them."""

REQUEST_S = 20
"""Seconds from a connection's beginning, or a request's first byte, to the end of that request."""

STALLED_S = 30
"""Seconds for which a client may read nothing of a reply."""

LOOK_S = 0.05
"""Seconds between two looks at a client that has closed its end: it may still read, or be gone."""

_FIRST_PROBE, _PROBES = 2, 100
"""Looks before the first probe, and between two."""

_PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""Clients pass over interim replies (RFC 9110 15.2); the system of one that is gone answers with a reset."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection that holds what the constants of this module allow, and notices when its client goes.

    Parameters
    ----------
    connections : Connections
        All connections of the process.
    **keywords
        What uvicorn gives its protocols.
    """

    def __init__(self, *, connections: Connections, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._others = connections
        self._awaited: deque[Any] = deque()  # uvicorn's cycles of the requests whose replies are not complete
        self._refusal: Reply | None = None
        self._deaf = False  # what still arrives is dropped, and the connection closes after the last reply
        self._in_head = self._is_whole = True
        self._fed = self._head_bytes = self._body_bytes = self._lines = 0
        self._request_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._look_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, if there is room for another connection."""
        super().connection_made(transport)
        self._await_request()
        self._others.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Have every reply that is awaited given up: uvicorn itself looks at the last one only."""
        for cycle in self._awaited:
            cycle.disconnected = True
            cycle.message_event.set()
        self._awaited.clear()
        self.pipeline.clear()
        for timer in (self._request_timer, self._stall_timer, self._look_timer):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        self._others.leave(self)
        super().connection_lost(exc)

    def evict(self, *, refused: bool) -> None:
        """Close an idle connection in favour of a newer one; `refused` where there is none to go but the newest."""
        if refused:
            self._refuse(problem(503, "the server has as many connections as it can hold", ("retry-after", "1")))
        self.transport.close()

    # What arrives

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, an unfinished head in pieces no longer than its bound."""
        while data and not self._deaf and not self.transport.is_closing():
            piece, data = data[:MAX_HEAD_BYTES], data[MAX_HEAD_BYTES:]
            super().data_received(piece)
            if self._request_timer is None and not self._is_whole:
                self._await_request()
            self._fed += len(piece) * self._in_head
            if self._fed > MAX_HEAD_BYTES:
                self._refuse(_TOO_LONG)

    def on_message_begin(self) -> None:
        """Begin to count what a request takes."""
        self._in_head, self._is_whole = True, False
        self._fed = self._head_bytes = self._body_bytes = self._lines = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the bytes of the request line."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count lines and their bytes; trailers after a body are dropped."""
        self._lines += 1
        if self._lines > MAX_LINES:
            self._give_up(problem(431, f"the request has more than {MAX_LINES} header lines"))
        self._count_head(len(name) + len(value))
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Answer the request after those before it, and go on reading, to notice when the client disconnects."""
        self._in_head, self._fed = False, 0
        if self._deaf:
            return
        super().on_headers_complete()
        self.cycle.transport = _Joined(self.transport, self.cycle)  # type: ignore[assignment] # all that it needs of one
        self._awaited.append(self.cycle)
        self._others.busy(self)
        self.flow.resume_reading()
        if len(self._awaited) == MAX_AHEAD:
            self.cycle.keep_alive = False
        self._deaf = not self.cycle.keep_alive

    def on_body(self, body: bytes) -> None:
        """Drop it: nothing here is written to. A long one is the last that the connection brings."""
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._end_input()

    def on_message_complete(self) -> None:
        """Stop the clock of the request, if it did not arrive all at once."""
        self._is_whole = True
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None
        super().on_message_complete()

    def eof_received(self) -> bool:  # type: ignore[override] # as asyncio.Protocol has it
        """Return whether to keep the connection: a client that closed its end only still gets its replies."""
        self._end_input()
        if self._awaited and self.scheme == "http":
            self._look_timer = self.loop.call_later(LOOK_S, self._look, 1)
            return True
        return False

    # What is refused

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._give_up(_TOO_LONG)

    def _give_up(self, refusal: Reply) -> None:
        """Leave the parser, which calls this; `data_received` then sends the refusal."""
        self._refusal = refusal
        raise ValueError

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser could not read."""
        self._refuse(self._refusal or problem(400, msg))

    def _refuse(self, reply: Reply) -> None:
        """Answer a request that never was one, and close; if others are awaited, their replies are the last."""
        if not self._awaited and not self.transport.is_closing():
            self.transport.write(_on_the_wire(reply, self.server_state.default_headers))
        self._end_input()

    def _end_input(self) -> None:
        """Drop what still arrives, and close after the replies that are awaited."""
        self._deaf = True
        if self._awaited:
            self._awaited[-1].keep_alive = False
        else:
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: a server may ignore Upgrade (RFC 9110 7.8)."""

    # Time

    def _await_request(self) -> None:
        self._request_timer = self.loop.call_later(REQUEST_S, self._request_is_late)

    def _request_is_late(self) -> None:
        if self._fed:
            self._refuse(problem(408, f"the request took longer than {REQUEST_S} s to arrive"))
        else:
            self._end_input()

    def on_response_complete(self) -> None:
        """Go on to the next request, and watch whether the client takes the reply."""
        self._awaited.popleft().transport.flush()
        if not self._awaited:
            self._others.idle(self)
        if self._stall_timer is None:
            self._watch_reading(None)
        super().on_response_complete()

    def _watch_reading(self, unread: int | None) -> None:
        """Drop a client that has read nothing of the `unread` bytes that it had before it."""
        left = self.transport.get_write_buffer_size()
        self._stall_timer = None
        if left and left == unread:
            self.transport.abort()
        elif left:
            self._stall_timer = self.loop.call_later(STALLED_S, self._watch_reading, left)

    def _look(self, turn: int) -> None:
        """See whether a client that has closed its end is gone, and probe it now and then."""
        if not self._awaited or self.transport.is_closing():
            return
        cycle, probing = self._awaited[0], turn % _PROBES == _FIRST_PROBE and not self._awaited[0].response_started
        if self._is_reset() or (probing and cycle.scope["http_version"] != "1.1"):  # 1.0 knows no interim replies
            self.transport.abort()
            return
        if probing:
            self.transport.write(_PROBE)
        self._look_timer = self.loop.call_later(LOOK_S, self._look, turn + 1)

    def _is_reset(self) -> bool:
        if not hasattr(select, "poll"):  # pragma: no cover  Windows: writing the reply finds out
            return False
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), 0)
        return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


class _Joined:
    """The transport of one reply: its head and the first of its body leave together, in one call of the system."""

    __slots__ = ("_cycle", "_head", "_transport")

    def __init__(self, transport: asyncio.Transport, cycle: Any) -> None:
        self._transport, self._cycle = transport, cycle
        self._head: bytes | None = b""  # None once it has left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, content: bytes) -> None:
        """Hold the head back; an interim reply before it leaves at once."""
        if self._head is None or not self._cycle.response_started:
            self._transport.write(content)
        elif self._head:
            self._transport.writelines((self._head, content))
            self._head = None
        else:
            self._head = content

    def flush(self) -> None:
        """Let a head go that has no body."""
        if self._head:
            self._transport.write(self._head)
        self._head = None

    def close(self) -> None:
        """Close the connection after what was written."""
        self.flush()
        self._transport.close()


_TOO_LONG = problem(431, f"the request's line and headers are longer than {MAX_HEAD_BYTES} bytes")


def _on_the_wire(reply: Reply, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return a whole response that closes the connection."""
    headers = [(name.encode(), value.encode()) for name, value in reply.headers]
    headers += [*default_headers, (b"connection", b"close"), (b"content-length", str(len(reply.body)).encode())]
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return STATUS_LINE[reply.status] + lines + b"\r\n" + reply.body
