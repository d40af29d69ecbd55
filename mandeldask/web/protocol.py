"""HTTP/1.1 of one connection: uvicorn's httptools protocol, with limits on the resources that a client can occupy.

httptools is the fastest of uvicorn's protocols (``python benchmarks/protocols.py``). It has no limits of its own, so
this module counts the bytes, lines and seconds of a request.
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
"""Greatest size of a request's line and headers, in bytes; a place with 1000 characters takes 2 KiB."""

MAX_LINES = 100
"""Greatest number of header lines of a request; browsers send about 20."""

MAX_BODY_BYTES = 64 << 10
"""Greatest size of a body, in bytes. Bodies are ignored."""

MAX_AHEAD = 32
"""Greatest number of requests of a connection that wait for their replies."""

REQUEST_S = 20
"""Seconds that a request may take to arrive, from the start of the connection or its first byte."""

STALLED_S = 30
"""Seconds after which a client that reads nothing of a reply is dropped."""

CHECK_S = 0.05
"""Seconds between two checks of a client that has closed its end: it may still read, or may have disconnected."""

_FIRST_PROBE, _PROBES = 2, 100
"""Checks before the first probe, and between two probes."""

_PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""A probe. Clients ignore interim replies (RFC 9110 15.2); if a client has gone, its system answers with a reset."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection within the limits of this module that notices when its client disconnects.

    Parameters
    ----------
    connections : Connections
        All connections of the process.
    **keywords
        The arguments of uvicorn's protocols.
    """

    def __init__(self, *, connections: Connections, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._others = connections
        self._awaited: deque[Any] = deque()  # uvicorn's cycles of requests without a complete reply
        self._refusal: Reply | None = None
        self._deaf = False  # further input is dropped, and the connection closes after the last reply
        self._in_head = self._is_whole = True
        self._fed = self._head_bytes = self._body_bytes = self._lines = 0
        self._request_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._check_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, if another connection is allowed."""
        super().connection_made(transport)
        self._await_request()
        self._others.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all pending replies; uvicorn itself cancels the last one only."""
        for cycle in self._awaited:
            cycle.disconnected = True
            cycle.message_event.set()
        self._awaited.clear()
        self.pipeline.clear()
        for timer in (self._request_timer, self._stall_timer, self._check_timer):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        self._others.leave(self)
        super().connection_lost(exc)

    def evict(self, *, refused: bool) -> None:
        """Close an idle connection to make room for a newer one; `refused` if this is the newest itself."""
        if refused:
            self._refuse(
                problem(503, "the server has reached its limit of connections; try again later", ("retry-after", "1"))
            )
        self.transport.close()

    # Input

    def data_received(self, data: bytes) -> None:
        """Parse input; an unfinished head is parsed in pieces no longer than its limit."""
        while data and not self._deaf and not self.transport.is_closing():
            piece, data = data[:MAX_HEAD_BYTES], data[MAX_HEAD_BYTES:]
            super().data_received(piece)
            if self._request_timer is None and not self._is_whole:
                self._await_request()
            self._fed += len(piece) * self._in_head
            if self._fed > MAX_HEAD_BYTES:
                self._refuse(_TOO_LONG)

    def on_message_begin(self) -> None:
        """Start to count the bytes and seconds of a request."""
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
        """Queue the request behind earlier ones, and continue reading, to notice when the client disconnects."""
        self._in_head, self._fed = False, 0
        if self._deaf:
            return
        super().on_headers_complete()
        self.cycle.transport = _Joined(self.transport, self.cycle)  # type: ignore[assignment] # it has the methods that are needed
        self._awaited.append(self.cycle)
        self._others.busy(self)
        self.flow.resume_reading()
        if len(self._awaited) == MAX_AHEAD:
            self.cycle.keep_alive = False
        self._deaf = not self.cycle.keep_alive

    def on_body(self, body: bytes) -> None:
        """Drop the body, since the server is read-only. After a long body the connection is closed."""
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._end_input()

    def on_message_complete(self) -> None:
        """Stop the timer of the request, if it did not arrive in one piece."""
        self._is_whole = True
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None
        super().on_message_complete()

    def eof_received(self) -> bool:  # type: ignore[override] # the signature of asyncio.Protocol
        """Return whether to keep the connection: a client that closed only its end still receives its replies."""
        self._end_input()
        if self._awaited and self.scheme == "http":
            self._check_timer = self.loop.call_later(CHECK_S, self._check_connection, 1)
            return True
        return False

    # Refusals

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._give_up(_TOO_LONG)

    def _give_up(self, refusal: Reply) -> None:
        """Raise through the parser, which calls this; `data_received` then sends the refusal."""
        self._refusal = refusal
        raise ValueError

    def send_400_response(self, msg: str) -> None:
        """Refuse input that the parser cannot read."""
        self._refuse(self._refusal or problem(400, msg))

    def _refuse(self, reply: Reply) -> None:
        """Reply to malformed input and close; if replies are pending, send those and close without one."""
        if not self._awaited and not self.transport.is_closing():
            self.transport.write(_on_the_wire(reply, self.server_state.default_headers))
        self._end_input()

    def _end_input(self) -> None:
        """Drop further input, and close after the pending replies."""
        self._deaf = True
        if self._awaited:
            self._awaited[-1].keep_alive = False
        else:
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: a server may ignore Upgrade (RFC 9110 7.8)."""

    # Time

    def _await_request(self) -> None:
        self._request_timer = self.loop.call_later(REQUEST_S, self._request_is_late)

    def _request_is_late(self) -> None:
        if self._fed:
            self._refuse(problem(408, f"the request took longer than {REQUEST_S} s to arrive"))
        else:
            self._end_input()

    def on_response_complete(self) -> None:
        """Continue with the next request, and check whether the client reads the reply."""
        self._awaited.popleft().transport.flush()
        if not self._awaited:
            self._others.idle(self)
        if self._stall_timer is None:
            self._watch_reading(None)
        super().on_response_complete()

    def _watch_reading(self, unread: int | None) -> None:
        """Drop a client that has read none of its `unread` bytes since the last check."""
        left = self.transport.get_write_buffer_size()
        self._stall_timer = None
        if left and left == unread:
            self.transport.abort()
        elif left:
            self._stall_timer = self.loop.call_later(STALLED_S, self._watch_reading, left)

    def _check_connection(self, turn: int) -> None:
        """Check whether a client that has closed its end has disconnected; probe it at intervals."""
        if not self._awaited or self.transport.is_closing():
            return
        cycle, probing = self._awaited[0], turn % _PROBES == _FIRST_PROBE and not self._awaited[0].response_started
        if self._is_reset() or (probing and cycle.scope["http_version"] != "1.1"):  # HTTP/1.0 has no interim replies
            self.transport.abort()
            return
        if probing:
            self.transport.write(_PROBE)
        self._check_timer = self.loop.call_later(CHECK_S, self._check_connection, turn + 1)

    def _is_reset(self) -> bool:
        if not hasattr(select, "poll"):  # pragma: no cover  on Windows writing the reply fails instead
            return False
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), 0)
        return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


class _Joined:
    """The transport of one reply; it sends the head and the first part of the body in one system call."""

    __slots__ = ("_cycle", "_head", "_transport")

    def __init__(self, transport: asyncio.Transport, cycle: Any) -> None:
        self._transport, self._cycle = transport, cycle
        self._head: bytes | None = b""  # None after it was sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, content: bytes) -> None:
        """Buffer the head, but send an interim reply at once."""
        if self._head is None or not self._cycle.response_started:
            self._transport.write(content)
        elif self._head:
            self._transport.writelines((self._head, content))
            self._head = None
        else:
            self._head = content

    def flush(self) -> None:
        """Send a head that has no body."""
        if self._head:
            self._transport.write(self._head)
        self._head = None

    def close(self) -> None:
        """Close the connection after everything was written."""
        self.flush()
        self._transport.close()


_TOO_LONG = problem(431, f"the request's line and headers are longer than {MAX_HEAD_BYTES} bytes")


def _on_the_wire(reply: Reply, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return a whole response that closes the connection."""
    headers = [(name.encode(), value.encode()) for name, value in reply.headers]
    headers += [*default_headers, (b"connection", b"close"), (b"content-length", str(len(reply.body)).encode())]
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return STATUS_LINE[reply.status] + lines + b"\r\n" + reply.body
