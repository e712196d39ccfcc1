# SPDX-License-Identifier: Apache-2.0
"""What the documents of a batch need to know of the query they came from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["Origin", "with_version"]


def with_version(
    cls: Any, include: tuple[str, ...], exclude: tuple[str, ...], chosen: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is loaded and left out: a version is read with what it is the version of."""
    if cls._version is None:
        return include, exclude
    path = cls._db_field_map[cls._version]
    if include or any("$elemMatch" in op for op in chosen.values()):
        return tuple(dict.fromkeys((*include, path))), exclude
    return (), tuple(one for one in exclude if one != path)


class Origin:
    """Where a batch came from: what its documents need to know of the query."""

    __slots__ = ("chosen", "exclude", "include")

    def __init__(
        self,
        include: tuple[str, ...],
        exclude: tuple[str, ...],
        chosen: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.include = include
        self.exclude = exclude
        self.chosen = chosen  # paths of which $slice or $elemMatch picks elements

    def as_dict(self) -> dict[str, Any]:
        """Return the projection."""
        chosen = {name: dict(op) for name, op in self.chosen.items()}
        return {**dict.fromkeys(self.include, 1), **dict.fromkeys(self.exclude, 0), **chosen}

    def mask_for(self, cls: Any) -> bytes | None:
        """Return a byte per field of the class, 0: not loaded, 1: loaded, 2: in part; None for all.

        With fields loaded in part, the paths of the projection follow, as the C side reads them.
        """
        if not self.include and not self.exclude and not self.chosen:
            return None
        parts = [("m" if "$elemMatch" in op else "s", path) for path, op in self.chosen.items()]
        parts += [("m", path.split(".$")[0]) for path in self.include if ".$" in path]
        partly = {path.split(".")[0] for _, path in parts}
        whole = {"_id", *(path for path in self.include if "." not in path)}
        inclusive = bool(self.include) or any(kind == "m" for kind, _ in parts)
        if inclusive:
            partly |= {path.split(".")[0] for path in self.include} - whole
            parts += [("i", path) for path in self.include]
        else:
            partly |= {path.split(".")[0] for path in self.exclude if "." in path}
            partly -= set(self.exclude)
            parts += [("x", path) for path in self.exclude]
            whole.update(f.db_field for f in cls._fields.values() if f.db_field not in self.exclude)
        levels = bytes(
            2 if name in partly else int(name in whole)
            for name in (field.db_field for field in cls._fields.values())
        )
        if not partly:
            return levels
        return levels + b"".join(f"{kind}{path}\0".encode() for kind, path in parts)
