"""Names of other packages that these do not promise to keep: a module for each package; `tests/internals` has canaries.

Nothing else in this package imports such a name, so a release of zarr or xarray that changes one breaks here, by name.
"""
