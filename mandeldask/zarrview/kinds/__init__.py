"""Kinds of trees, one module per family of packages; each registers its functions with `as_node` when imported."""
