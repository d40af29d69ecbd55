"""dask's tokens of content. dask is imported only when it asks for a token, because importing it takes 0.4 s."""

from __future__ import annotations

from typing import Any


def normalize_token(value: Any) -> Any:
    """Return the identity of `value` by its content, as `dask.base.normalize_token` does."""
    from dask.base import normalize_token as token_of  # noqa: PLC0415  reading windows does not need dask

    return token_of(value)
