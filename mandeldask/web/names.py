"""Names as URLs carry them: what some client would not send as it is, is shown percent-encoded.

fsspec cuts a URL off at ``#`` and ``?`` and reads ``%41`` as ``A``, so that a chunk would seem absent; browsers drop
line feeds and leading spaces; obstore refuses control characters. A member ``Run #`` is therefore named ``Run %23``
over HTTP, in documents and listings, and answers under both names.
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
    r"""Return a name as every client sends it.

    Examples
    --------
    >>> escaped("Run #"), escaped("100%"), escaped("a%41"), escaped("Total\n(USD)")
    ('Run %23', '100%', 'a%2541', 'Total%0A(USD)')
    """
    return _UNSENT.sub(lambda found: f"%{ord(found[0]):02X}", name)


def own_name(name: str, members: Mapping[str, Any]) -> str | None:
    """Return the name in `members` that is sent as `name`, escaped or as it is; None if there is none, or are two."""
    raw = _raw(name)
    found = [each for each in (name, raw) if each is not None and each in members]
    return found[0] if len(found) == 1 else None


def _raw(name: str) -> str | None:
    """Return the name that is sent as `name`, if it is another."""
    raw = unquote(name) if "%" in name else name
    return raw if raw != name and escaped(raw) == name else None


@dataclass(frozen=True, slots=True)
class Escaped(Mapping[str, Node]):
    """Members of a group under names that every client sends."""

    members: Mapping[str, Node]
    """Under their own names."""
    below: Callable[[Node], Node] | None = None
    """What to make of each."""

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
    """Return `node` with the names that every client sends, of members and of the dimensions named after them.

    Raises
    ------
    ValueError
        If a name is what another is sent as.
    """
    reopen = None if node.reopen is None else Reopened(node.reopen, sent)
    attrs = node.attrs
    if isinstance(attrs.get("coordinates"), str):  # names, with spaces between them
        attrs = {**attrs, "coordinates": escaped(attrs["coordinates"])}
    if isinstance(node, Group):
        if node.consolidate:  # the names of others are asked for when they are listed
            _check_clashes(node.members)
        return replace(node, members=Escaped(node.members, sent), attrs=attrs, reopen=reopen)
    dims = None if node.dims is None else tuple(map(escaped, node.dims))
    return replace(node, dims=dims, attrs=attrs, reopen=reopen)


def _check_clashes(members: Mapping[str, Any]) -> None:
    for name in members:
        raw = _raw(name)
        if raw is not None and raw in members:
            msg = f"{raw!r} is {name!r} in a URL, and that is the name of another member: rename one of them"
            raise ValueError(msg)


def readable(tree: Any) -> Node:
    """Return the node of a tree as a server shows it.

    Raises
    ------
    TypeError, ValueError
        If it is of no known kind, or names in it cannot be used.
    """
    return sent(as_tree(tree))
