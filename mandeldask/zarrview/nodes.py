"""Group and Array: the properties of a tree that Zarr needs; `as_node` converts trees of many kinds to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial, singledispatch
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from numpy.typing import NDArray

from mandeldask.zarrview.dtypes import plain
from mandeldask.zarrview.identity import unique

if TYPE_CHECKING:
    import numpy as np

Made = TypeVar("Made")

SKIPPED: Final = "skipped"
"""Attribute of a group: names of the members that were left out, with the reasons."""

Read = Callable[[tuple[slice, ...]], NDArray[Any]]
"""Returns the elements of a window: one slice with start, stop and step 1 per dimension, inside the array's shape."""

Constant = Callable[[tuple[slice, ...]], Any]
"""Returns the common value of all elements of a window without reading them, if it is known; else None."""

Version = Callable[[], Hashable]
"""Returns the present state of a node's source, such as the inode, size and mtime of a file. It is called often, so it
must be cheap. None means that the state is unknown; then nothing that was read is kept."""

_RESERVED = {"", "zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata", "zarrview.json"}

_UNUSABLE = re.compile(r"[/\\\0\ud800-\udfff]")
"""Path separators (in zarr-python also the backslash), and characters that UTF-8 cannot encode."""


class Changed(RuntimeError):  # noqa: N818  an event, not an error
    """The source changed while it was read. The result is dropped; a second attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Array:
    """An n-dimensional array that can be read window by window.

    Raises
    ------
    ValueError
        If chunks or dims do not fit the shape.
    """

    shape: tuple[int, ...]
    """Elements along each dimension; 0 is allowed."""
    dtype: np.dtype[Any]
    """Type of the elements. It becomes little-endian, and structs are packed, even if `read` returns others."""
    read: Read = field(repr=False)
    """Reads a window. It runs in the calling thread, may be called by several at once, and should be picklable.

    Blocks of another shape, or with elements that `dtype` cannot represent, cause an error when they are encoded.
    """
    chunks: tuple[int, ...]
    """Elements of a chunk along each dimension, at least 1."""
    dims: tuple[str, ...] | None = None
    """Names of the dimensions; None if the source has none."""
    attrs: Mapping[str, Any] = field(default_factory=dict)
    """Attributes, of JSON's types."""
    fill_value: Any = None
    """The value of absent chunks in v3; None is the default of the data type (NaN for floats)."""
    missing: Any = None
    """CF's `_FillValue`: v2's fill value and v3's attribute `_FillValue`; None if no value means "missing"."""
    fingerprint: str = ""
    """Identity of the content at `version`: equal only if every element is equal. Unique by default."""
    version: Version | None = None
    """Returns the present state of the source. None if the array never changes."""
    as_of: Hashable = None
    """What `version` returned before the node was opened; None: it is asked right afterwards."""
    reopen: Callable[[], Node] | None = None
    """Returns the node as of its present version; None: the group that holds it is asked for it again."""
    constant: Constant | None = field(default=None, repr=False)
    """Returns the common value of the elements of some windows without reading them; None for other windows."""
    encoding: Mapping[str, Any] = field(default_factory=dict)
    """Requests of the source to a format: `compressors`, `shards`; `text` if fixed-length bytes are ASCII."""
    block: tuple[int, ...] | None = None
    """Elements along each dimension that the source reads or computes together, if this is not a chunk."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", plain(self.dtype))
        object.__setattr__(self, "fingerprint", self.fingerprint or unique())
        if len(self.chunks) != len(self.shape) or any(chunk < 1 for chunk in self.chunks):
            msg = f"chunks must be a size of at least 1 for each of the dimensions {self.shape}, not {self.chunks}"
            raise ValueError(msg)
        if self.dims is not None and len(self.dims) != len(self.shape):
            msg = f"dims must name each dimension of the shape {self.shape}, not {self.dims}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Group:
    """Named groups and arrays.

    Raises
    ------
    TypeError
        If a name is not a string.
    ValueError
        If a name cannot be one segment of a Zarr path.
    """

    members: Mapping[str, Node] = field(default_factory=dict)
    """Groups and arrays by name, in order. Any Mapping is allowed: one that is not a dict may open a member on
    access, and may have other members after a new `version`."""
    attrs: Mapping[str, Any] = field(default_factory=dict)
    """Attributes, of JSON's types."""
    version: Version | None = None
    """Returns the state on which the group and everything below it depend. None if no name, attribute or member ever
    changes, except for members that have a version themselves. If not `consolidate`, separate members, such as the
    files of a folder, do not depend on it."""
    as_of: Hashable = None
    """What `version` returned before the node was opened; None: it is asked right afterwards."""
    reopen: Callable[[], Node] | None = None
    """Returns the node as of its present version; None: the group that holds it is asked for it again."""
    consolidate: bool = True
    """Whether the group's documents may include those of all nodes below; False if that would open many sources."""
    fingerprint: str = ""
    """Identity of the whole group, if it is not `consolidate`; by default made from those of its members."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Names of members that could not be made, with the reasons; shown as the attribute `skipped`."""
    held_bytes: int | None = None
    """Estimate of the memory of the group and everything below it, once all of it was requested; None if unknown."""

    def __post_init__(self) -> None:
        if isinstance(self.members, dict):  # names in other mappings are checked on access
            for name in self.members:
                checked_name(name)


Node: TypeAlias = Group | Array


def is_name(name: str) -> bool:
    """Return whether `name` can be one segment of a Zarr path."""
    return name not in _RESERVED and bool(name.strip(".")) and _UNUSABLE.search(name) is None


def checked_name(name: Any) -> str:
    """Return `name` if it can be one segment of a Zarr path; otherwise raise an error with the reason."""
    if not isinstance(name, str):
        msg = f"names of members must be strings, not {name!r}"
        raise TypeError(msg)
    if name in _RESERVED or not name.strip("."):
        msg = f"{name!r} cannot name a member of a Zarr group: it is reserved, empty, or consists of periods"
        raise ValueError(msg)
    bad = _UNUSABLE.search(name)
    if bad is not None:
        msg = f"{name!r} cannot name a member of a Zarr group: no client can request {bad[0]!r} in a name"
        raise ValueError(msg)
    return name


@dataclass(frozen=True, slots=True)
class Changing(Mapping[str, "Node"]):
    """Members of a group, each changed on access."""

    members: Mapping[str, Node]
    change: Callable[[Node, str], Node]
    """Function of a member and its name."""

    def __getitem__(self, name: str) -> Node:
        return self.change(self.members[name], name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, name: object) -> bool:
        return name in self.members


@dataclass(frozen=True, slots=True)
class Reopened:
    """Reopens a node, and applies the same change to it again."""

    reopen: Callable[[], Node]
    change: Callable[[Node], Node]

    def __call__(self) -> Node:
        """Return the node as of its present version."""
        return self.change(self.reopen())


def with_reads(node: Node, wrap: Callable[[Read], Read]) -> Node:
    """Return `node` with every array's `read` replaced by `wrap(read)`, without opening any member."""
    reopen = None if node.reopen is None else Reopened(node.reopen, partial(with_reads, wrap=wrap))
    if isinstance(node, Group):
        return replace(node, members=Changing(node.members, partial(_with_reads, wrap)), reopen=reopen)
    return replace(node, read=wrap(node.read), reopen=reopen)


def _with_reads(wrap: Callable[[Read], Read], node: Node, _: str) -> Node:
    return with_reads(node, wrap)


def with_dims(node: Node, path: str = "") -> Node:
    """Return `node` with names for the dimensions of arrays that have none, after their paths.

    Arrays differ in size, and xarray requires that a dimension has the same size in a group and all groups above it.
    No member is opened.

    Parameters
    ----------
    node : Group or Array
        The node whose dimensions are named.
    path : str
        Where it is in the tree; the root keeps its dimensions without names.
    """
    reopen = None if node.reopen is None else Reopened(node.reopen, partial(with_dims, path=path))
    if isinstance(node, Group):
        return replace(node, members=Changing(node.members, partial(_with_dims, path)), reopen=reopen)
    return replace(named(node, path.replace("/", ".")) if path else node, reopen=reopen)


def _with_dims(path: str, node: Node, name: str) -> Node:
    return with_dims(node, f"{path}/{name}" if path else name)


FAMILIES: dict[str, str] = {}
"""Modules that register types, by the name of the types' package or, for a protocol, of its method.

A module is imported when the first such object is seen, and its package with it. Packages come before protocols.
"""

_loaded: set[str] = set()


def load_families(kind: type) -> bool:
    """Import the registrations for `kind`'s packages, otherwise its protocols; return whether there were new ones."""
    packages = {base.__module__.partition(".")[0] for base in kind.__mro__} & FAMILIES.keys()
    protocols = {name for name in FAMILIES if name.startswith("__") and hasattr(kind, name)}
    modules = {FAMILIES[name] for name in packages} - _loaded or {FAMILIES[name] for name in protocols} - _loaded
    for module in modules:
        import_module(module)
    _loaded.update(modules)
    return bool(modules)


@singledispatch
def as_node(tree: Any) -> Node:
    """Return `tree` as a Group or Array. Register a function here for a new kind of tree.

    Parameters
    ----------
    tree : Mapping, DataTree, Dataset, DataArray, array, DataFrame, ...
        See the table in `docs/how-to/serve-any-tree.md`.

    Raises
    ------
    TypeError
        If no function is registered for the type of `tree`.
    ValueError
        If a name cannot be used in Zarr.
    """
    if load_families(type(tree)):
        return as_node(tree)
    msg = f"a {type(tree).__module__}.{type(tree).__qualname__} cannot be shown; register it with as_node"
    raise TypeError(msg)


def as_tree(tree: Any) -> Node:
    """Return a whole tree as a Group or Array, like `as_node`; refuse text, which may be meant as a path.

    Raises
    ------
    TypeError
        If it is text, or of no known kind.
    """
    if isinstance(tree, (str, bytes)):
        msg = f"{tree!r} is text, not a tree: for a file or folder pass pathlib.Path({tree!r}), for text an array"
        raise TypeError(msg)
    return as_node(tree)


@as_node.register(Group)
@as_node.register(Array)
def _(tree: Node) -> Node:
    return tree


@as_node.register(Mapping)
def _(tree: Mapping[str, Any]) -> Node:
    if load_families(type(tree)):  # a Dataset is also a Mapping
        return as_node(tree)
    inside = _inside.get()
    if id(tree) in inside:
        msg = "the mapping contains itself"
        raise ValueError(msg)
    token = _inside.set(inside | {id(tree)})
    try:
        return group_of({name: partial(as_node, below) for name, below in tree.items()})
    finally:
        _inside.reset(token)


_inside: ContextVar[frozenset[int]] = ContextVar("mandeldask_mappings", default=frozenset())
"""Identities of the mappings that are being opened, outermost first."""


def group_of(make: Mapping[Any, Callable[[], Node]], attrs: Mapping[str, Any] | None = None) -> Group:
    """Return the Group of the results of the functions in `make`, by name.

    A member that cannot be made does not affect the others: it is left out, and named with the reason in
    `Group.skipped`. If no member is left, the first error is raised.
    """
    members: dict[str, Node] = {}
    errors: dict[str, Exception] = {}
    for name, each in make.items():
        try:
            members[name] = member(name, each)
        except Exception as error:  # noqa: BLE001  sources may raise anything
            errors[str(name)] = error
    if errors and not members:
        raise next(iter(errors.values()))
    return Group(members, attrs or {}, skipped={name: reason(error) for name, error in errors.items()})


def reason(error: Exception) -> str:
    """Return an error as one line, for the attributes of a group."""
    return " ".join(str(error).split()) or type(error).__name__


def member(name: Any, make: Callable[[], Made]) -> Made:
    """Return the result of `make`; an error names the member."""
    try:
        checked_name(name)
        return make()
    except Exception as error:
        error.add_note(f"in the member {name!r}")
        raise


def named(node: Node, name: str) -> Node:
    """Return `node` with its unnamed dimensions named after `name`: siblings may differ in size."""
    if isinstance(node, Array) and node.dims is None:
        return replace(node, dims=tuple(f"{name}_{axis}" for axis in range(len(node.shape))))
    return node
