# SPDX-License-Identifier: Apache-2.0
"""The indexes that a Document class declares, as createIndexes wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mongodb.errors import LookUpError
from mongodb.queryset.lookups import db_path

__all__ = [
    "declared_indexes",
    "free_names",
    "geo_indexes",
    "index_specs",
    "index_name",
    "is_pending",
    "parse_keys",
    "same_keys",
    "stored_keys",
]

_PREFIX = {"+": 1, "-": -1, "$": "text", "#": "hashed", "(": "2dsphere", "*": "2d"}
_KINDS = frozenset({1, -1, "text", "hashed", "2dsphere", "2d"})
_PENDING = frozenset({"text", "2dsphere", "2d"})
_NOT_STORED = frozenset({"fields", "cls", "types"})


def _key(cls: Any, item: Any) -> tuple[str, Any]:
    if isinstance(item, (tuple, list)):
        if len(item) != 2 or not isinstance(item[0], str) or item[1] not in _KINDS:
            raise LookUpError(
                f"{cls.__name__}: an index key is ('field', 1), ('field', -1), ('field', 'text'), "
                f"('field', 'hashed') or ('field', '2dsphere'), not {item!r}"
            )
        return _path(cls, item[0]), item[1]
    if not isinstance(item, str) or not item:
        raise LookUpError(f"{cls.__name__}: an index key is a field's name, not {item!r}")
    kind: Any = 1
    if item[0] in _PREFIX:
        kind, item = _PREFIX[item[0]], item[1:]
    return _path(cls, item), kind


def _path(cls: Any, name: str) -> str:
    if name == "_cls" or name.startswith("$**") or name.endswith("$**"):
        return name
    return db_path(cls, name)


def _is_pair(spec: Any) -> bool:
    return (
        isinstance(spec, (tuple, list))
        and len(spec) == 2
        and isinstance(spec[0], str)
        and not isinstance(spec[1], (tuple, list))
        and spec[1] in _KINDS
    )


def parse_keys(cls: Any, spec: Any) -> list[tuple[str, Any]]:
    """Return the keys of one index in any of its spellings."""
    if isinstance(spec, str) or _is_pair(spec):
        return [_key(cls, spec)]
    if isinstance(spec, Mapping):
        return [(_path(cls, name), kind) for name, kind in spec.items()]
    return [_key(cls, item) for item in spec]


def index_name(keys: list[tuple[str, Any]]) -> str:
    """Return MongoDB's name for an index with these keys."""
    return "_".join(f"{name}_{kind}" for name, kind in keys)


def free_names(keys: list[tuple[str, Any]], options: Mapping[str, Any]) -> list[str]:
    """Return the names to try for an index on these keys, MongoDB's own first."""
    base = index_name(keys)
    longer = "_".join([base, *sorted(str(name) for name in options)])
    return list(dict.fromkeys([base, longer, *(f"{longer}_{n}" for n in range(2, 10))]))


def _one(cls: Any, spec: Any) -> dict[str, Any]:
    options: dict[str, Any] = {}
    use_cls = cls._meta.get("index_cls", True)
    if isinstance(spec, Mapping) and "fields" in spec:
        options = {k: v for k, v in spec.items() if k not in _NOT_STORED}
        use_cls = spec.get("cls", use_cls)
        spec = spec["fields"]
    keys = parse_keys(cls, spec)
    plain = not any(kind in ("hashed", "2d", "2dsphere", "text") for _, kind in keys)
    if use_cls and plain and cls._meta.get("allow_inheritance") and "_cls" not in dict(keys):
        keys.insert(0, ("_cls", 1))
    return _finish(cls, keys, options)


def _finish(cls: Any, keys: list[tuple[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
    defaults = cls._meta.get("index_opts") or {}
    if not isinstance(defaults, Mapping):
        raise LookUpError(f"{cls.__name__}: index_opts is a dict of options, not {defaults!r}")
    out: dict[str, Any] = {**defaults, **options}
    background = cls._meta.get("index_background")
    if background:
        out.setdefault("background", background)  # of another kind it is the store's to refuse
    out["key"] = dict(keys)
    out.setdefault("name", index_name(keys))
    return out


def index_specs(cls: Any) -> list[dict[str, Any]]:
    """Return the declared indexes in MongoEngine's form: `fields`, and options beside it."""
    found = []
    for spec in declared_indexes(cls):
        options = {k: v for k, v in spec.items() if k not in ("key", "name")}
        if list(spec["key"]) != ["_cls"]:  # made, but not declared
            found.append({"fields": list(spec["key"].items()), **options})
    return found


def _unique_indexes(cls: Any, prefix: str = "", seen: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for field in cls._fields.values():
        if field.unique and not (field.primary_key and not prefix):
            paths = [prefix + field.db_field]
            others = field.unique_with or []
            for other in [others] if isinstance(others, str) else others:
                paths.append(prefix + db_path(cls, other))
            options: dict[str, Any] = {"unique": True}
            if field.sparse:
                options["sparse"] = True
            found.append(_finish(cls, [(path, 1) for path in paths], options))
        inner = field
        while inner._item is not None:
            inner = inner._item
        if inner.kind == "embedded":
            below = inner.document_type
            if below not in seen:
                found += _unique_indexes(below, f"{prefix}{field.db_field}.", (*seen, below))
    return found


def geo_indexes(cls: Any, prefix: str = "", seen: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
    """Return the indexes that geographic fields bring, those of embedded documents too."""
    found: list[dict[str, Any]] = []
    for field in cls._fields.values():
        path = prefix + field.db_field
        if getattr(field, "_geo_index", None):
            found.append(_finish(cls, [(path, field._geo_index)], {}))
        elif field.kind == "embedded" and field.document_type not in seen:
            below = field.document_type
            found += geo_indexes(below, f"{path}.", (*seen, below))
    return found


def stored_keys(index: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the keys of an index that the store lists, as they are declared."""
    keys: list[tuple[str, Any]] = []
    for name, kind in index["key"].items():
        if name == "_fts":  # a text index lists its fields among their weights
            keys += [(field, "text") for field in index.get("weights", {})]
        elif name != "_ftsx":
            keys.append((name, kind))
    return keys


def same_keys(first: list[tuple[str, Any]], second: list[tuple[str, Any]]) -> bool:
    """Whether they are one index: the fields of a text index have no order."""
    if any(kind == "text" for _, kind in first):
        return sorted(first, key=str) == sorted(second, key=str)
    return first == second


def is_pending(spec: Mapping[str, Any]) -> bool:
    """Whether the embedded engine cannot make the index yet."""
    return bool(_PENDING.intersection(one for one in spec["key"].values() if isinstance(one, str)))


def declared_indexes(cls: Any) -> list[dict[str, Any]]:
    """Return the specifications of all declared indexes, each name once.

    Indexes of one key pattern with other options get names of their own.
    """
    specs = [_one(cls, spec) for spec in cls._meta.get("indexes", ())]
    specs += _unique_indexes(cls)
    keys = [spec["key"] for spec in specs]
    specs += [spec for spec in geo_indexes(cls) if spec["key"] not in keys]
    inherits = cls._meta.get("allow_inheritance") and cls._meta.get("index_cls", True)
    if inherits and not any(next(iter(spec["key"])) == "_cls" for spec in specs):
        specs.append(_finish(cls, [("_cls", 1)], {}))
    found: dict[str, dict[str, Any]] = {}
    for spec in specs:
        if list(spec["key"]) == ["_id"]:
            continue
        name = spec["name"]
        while name in found and found[name] != {**spec, "name": name}:
            extra = [k for k in ("unique", "sparse") if spec.get(k) and not name.endswith(k)]
            name = f"{name}_{extra[0]}" if extra else f"{name}_{len(found)}"
        found[name] = {**spec, "name": name}
    return list(found.values())
