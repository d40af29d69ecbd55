"""Stages that iterate differences from a reference orbit, and the reference orbits themselves."""
