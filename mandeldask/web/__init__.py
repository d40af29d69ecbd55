"""The ASGI application: Zarr over HTTP; knows no fractals either."""
