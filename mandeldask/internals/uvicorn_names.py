"""Names of uvicorn that are not public."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

__all__ = ["STATUS_LINE", "HttpToolsProtocol", "Multiprocess"]
