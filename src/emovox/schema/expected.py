"""List the valid keys or values at the place of a msgspec validation error."""

from __future__ import annotations

import re
from typing import Any

from msgspec import inspect

_UNKNOWN = re.compile(r"unknown field")
_NO_CHOICE = re.compile(r"Invalid (enum )?value")
_PLACE = re.compile(r" - at `\$([^`]*)`")


def expected(message: str, data: Any, kind: type) -> str:
    """Return the valid keys or choices as an ending for msgspec's message, or "" for other errors.

    Args:
        message: text of the `msgspec.ValidationError`, which names the place.
        data: the data that failed to convert.
        kind: class of the structure.
    """
    if not _UNKNOWN.search(message) and not _NO_CHOICE.search(message):
        return ""
    place = _PLACE.search(message)
    nodes = _alternatives(inspect.type_info(kind), data)
    for step in re.findall(r"[^.\[\]]+", place[1] if place else ""):
        data = data.get(step) if isinstance(data, dict) else None
        nodes = [below for node in nodes for above in _below(node, step) for below in _alternatives(above, data)]
    names = _keys(nodes) if _UNKNOWN.search(message) else _values(nodes)
    return f"; expected one of {', '.join(names)}" if names else ""


def _alternatives(node: inspect.Type, data: Any) -> list[inspect.Type]:
    """Return the members of a union; of tagged structures, only the one whose tag is in the data."""
    nodes = list(node.types) if isinstance(node, inspect.UnionType) else [node]
    if not isinstance(data, dict):
        return nodes
    return [node for node in nodes if _is_named(node, data)] or nodes


def _is_named(node: inspect.Type, data: dict[str, Any]) -> bool:
    return isinstance(node, inspect.StructType) and node.tag_field is not None and node.tag == data.get(node.tag_field)


def _below(node: inspect.Type, step: str) -> list[inspect.Type]:
    if isinstance(node, inspect.StructType):
        if step == node.tag_field:
            return [inspect.LiteralType((node.tag,))]
        return [field.type for field in node.fields if field.encode_name == step]
    if isinstance(node, inspect.VarTupleType | inspect.ListType):
        return [node.item_type]
    return [node.value_type] if isinstance(node, inspect.DictType) else []


def _keys(nodes: list[inspect.Type]) -> list[str]:
    structs = [node for node in nodes if isinstance(node, inspect.StructType)]
    return list(dict.fromkeys(name for node in structs for name in _names(node)))


def _names(node: inspect.StructType) -> list[str]:
    return [*([node.tag_field] if node.tag_field else []), *(field.encode_name for field in node.fields)]


def _values(nodes: list[inspect.Type]) -> list[str]:
    return [str(value) for node in nodes if isinstance(node, inspect.LiteralType) for value in node.values]
