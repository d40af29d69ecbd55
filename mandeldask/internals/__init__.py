"""Private names of other packages, one module per package; `tests/internals` tests that they still exist.

No other module imports such a name. So, if a release of zarr or xarray changes one, the error occurs here and names it.
"""
