"""The ASGI application: Zarr over HTTP. It does not depend on the fractals."""

from importlib.util import find_spec

_MISSING = [name for name in ("prometheus_client", "starlette", "uvicorn") if find_spec(name) is None]
if _MISSING:
    _message = f"serving needs {', '.join(_MISSING)}: pip install 'mandeldask[serve]'"
    raise ModuleNotFoundError(_message, name=_MISSING[0])
