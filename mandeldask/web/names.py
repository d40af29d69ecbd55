"""Names in URLs: characters that some client would change are percent-encoded.

fsspec truncates URLs at ``#`` and ``?`` and decodes ``%41`` to ``A``, so that a chunk would seem absent; browsers drop
line feeds and leading spaces; obstore refuses control characters. A member ``Run #`` is therefore named ``Run %23``
over HTTP, in documents and listings; both names work in requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mandeldask.zarrview.nodes import Group, Node, Reopened, as_tree

if TYPE_CHECKING:
    from collections.abc import Callable

_UNSENT = re.compile(r"[#?\x00-\x1f\x7f]|%(?=[0-9A-Fa-f]{2})|^ | $")


def escaped(name: str) -> str:
    r"""Return a name that every client sends unchanged.

    Examples
    --------
    >>> escaped("Run #"), escaped("100%"), escaped("a%41"), escaped("Total\n(USD)")
    ('Run %23', '100%', 'a%2541', 'Total%0A(USD)')
    """
    return _UNSENT.sub(lambda found: f"%{ord(found[0]):02X}", name)


def own_name(name: str, members: Mapping[str, Any]) -> str | None:
    """Return the member that `name` means, escaped or unescaped; None if there is none, or if there are two."""
    raw = _raw(name)
    found = [each for each in (name, raw) if each is not None and each in members]
    return found[0] if len(found) == 1 else None


def _raw(name: str) -> str | None:
    """Return the unescaped form of `name`, if it differs."""
    raw = unquote(name) if "%" in name else name
    return raw if raw != name and escaped(raw) == name else None


@dataclass(frozen=True, slots=True)
class Escaped(Mapping[str, Node]):
    """The members of a group under names that every client sends unchanged."""

    members: Mapping[str, Node]
    """The members under their own names."""
    below: Callable[[Node], Node] | None = None
    """Function that is applied to each member."""

    def __getitem__(self, name: str) -> Node:
        own = own_name(name, self.members)
        if own is None:
            raise KeyError(name)
        node = self.members[own]
        return node if self.below is None else self.below(node)

    def __iter__(self) -> Iterator[str]:
        return (escaped(name) for name in self.members if own_name(name, self.members) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and own_name(name, self.members) is not None


def sent(node: Node) -> Node:
    """Return `node` with names that every client sends unchanged, for members and the dimensions named after them.

    Raises
    ------
    ValueError
        If a name equals the escaped form of another name.
    """
    reopen = None if node.reopen is None else Reopened(node.reopen, sent)
    attrs = node.attrs
    if isinstance(attrs.get("coordinates"), str):  # a list of names, separated by spaces
        attrs = {**attrs, "coordinates": escaped(attrs["coordinates"])}
    if isinstance(node, Group):
        if node.consolidate:  # the names of other members are read when they are listed
            _check_clashes(node.members)
        return replace(node, members=Escaped(node.members, sent), attrs=attrs, reopen=reopen)
    dims = None if node.dims is None else tuple(map(escaped, node.dims))
    return replace(node, dims=dims, attrs=attrs, reopen=reopen)


def _check_clashes(members: Mapping[str, Any]) -> None:
    for name in members:
        raw = _raw(name)
        if raw is not None and raw in members:
            msg = f"the name {raw!r} becomes {name!r} in a URL, also the name of another member: rename one of them"
            raise ValueError(msg)


def readable(tree: Any) -> Node:
    """Return the node of a tree as a server shows it.

    Raises
    ------
    TypeError, ValueError
        If its kind is unknown, or if names in it cannot be used.
    """
    return sent(as_tree(tree))
