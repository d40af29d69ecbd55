"""Stages that prove counts without iterating every pixel: formulas, discs of c, attracting cycles, minibrots."""
