"""A recipe's config file: read, checked, and every problem in it told at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from interfaceflow.core.errors import UserInputError, suggest_name
from interfaceflow.schemas.recipes import RECIPES
from interfaceflow.schemas.settings import RecipeSettings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]
_NUMBER_WITH_UNIT = re.compile(r"\s*([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*([^\d\s].*?)\s*")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_LIMITS = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}


def load_config(path: Path) -> RecipeSettings:
    """Read a recipe's config file.

    Parameters
    ----------
    path
        YAML file.

    Raises
    ------
    UserInputError
        If it cannot be read or anything in it is not allowed. The message names every such key, what was given,
        what is allowed, and the nearest right name.
    """
    text = _read(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserInputError(f"{path}: not valid YAML: {_yaml_problem(error)}") from None
    if not isinstance(given, dict):
        raise UserInputError(
            f"{path}: a config is a mapping of keys to values (recipe, title, structures, ...), "
            f"this file holds {'nothing' if given is None else type(given).__name__}; "
            "`interfaceflow init decomposition_interfaces` writes one to start from"
        )
    lines = dict(_lines(root, ()))
    recipe = _recipe(given, lines, path)
    schema = recipe.model_json_schema()
    problems = [f"{_key(key)} (line {line}): this key is given twice" for key, line in _duplicates(root, ())]
    problems += [_problem(key, value, schema, lines) for key, value in _booleans_for_numbers(given, schema, ())]
    try:
        settings = recipe.model_validate(given)
    except ValidationError as error:
        problems += [_explain(details, schema, lines) for details in _causes(error.errors())]
    if problems:
        many = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        raise UserInputError("\n".join([f"{path}: {many}", *(f"  - {problem}" for problem in problems)]))
    return settings


def _recipe(given: Mapping[str, Any], lines: Mapping[KeyPath, int], path: Path) -> type[RecipeSettings]:
    """Return the settings of the recipe that a config names; without it, no other key can be judged."""
    name = given.get("recipe")
    if isinstance(name, str) and name in RECIPES:
        return RECIPES[name]
    where = _where(("recipe",), {}, lines)
    said = f"{where}: missing." if "recipe" not in given else f"{where}: {name!r} is not allowed;"
    hint = suggest_name(name, RECIPES) if isinstance(name, str) else ""
    raise UserInputError(
        f"{path}: 1 problem\n  - {said} it must be one of {', '.join(map(repr, RECIPES))}.{hint} (Name of the recipe)"
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        beside = [entry.name for entry in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise UserInputError(f"{path}: there is no such config file.{suggest_name(path.name, beside)}") from None
    except IsADirectoryError:
        raise UserInputError(f"{path}: this is a folder; give the config file in it") from None
    except UnicodeDecodeError:
        raise UserInputError(f"{path}: this is not a text file in UTF-8") from None
    except OSError as error:
        raise UserInputError(f"{path}: cannot be read ({error.strerror})") from None


def _yaml_problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {error.problem}"
    return str(error)


def _causes(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out lists that are called too short only because an item of theirs is wrong."""
    keys = [details["loc"] for details in errors]
    return [
        details
        for details in errors
        if details["type"] != "too_short"
        or not any(len(key) > len(details["loc"]) and key[: len(details["loc"])] == details["loc"] for key in keys)
    ]


def _explain(details: ErrorDetails, schema: Mapping[str, Any], lines: Mapping[KeyPath, int]) -> str:
    key = details["loc"]
    if details["type"] == "union_tag_invalid":
        tag = str(_schema_at(schema, key)["discriminator"]["propertyName"])
        return _problem((*key, tag), details["ctx"]["tag"], schema, lines)
    where = _where(key, schema, lines)
    if details["type"] == "extra_forbidden":
        allowed = list(_schema_at(schema, key[:-1]).get("properties", {}))
        hint = suggest_name(str(key[-1]), allowed) or _kinds_with(key, schema)
        return f"{where}: unknown key.{hint}" + ("" if hint else f" Allowed here: {', '.join(allowed)}")
    if details["type"] == "missing":
        return f"{where}: missing. {_schema_at(schema, key).get('description', 'It is required')}"
    if details["type"] == "value_error":
        return f"{where}: {details['ctx']['error']}" if key else str(details["ctx"]["error"])
    return _problem(key, details["input"], schema, lines, details["msg"])


def _problem(
    key: KeyPath, given: Any, schema: Mapping[str, Any], lines: Mapping[KeyPath, int], message: str = ""
) -> str:
    """Say what was given for a key and what is allowed."""
    field = _schema_at(schema, key)
    unit = _unit(schema, key)
    where = f"{_where(key, schema, lines)}: {given!r}"
    if isinstance(given, str) and field.get("type") == "number" and _DECIMAL_COMMA.fullmatch(given):
        return f"{where}: decimals are written with a point: {given.replace(',', '.')}"
    match = _NUMBER_WITH_UNIT.fullmatch(given) if isinstance(given, str) else None
    if match is not None and field.get("type") in ("number", "integer"):
        if unit in (None, "1"):
            return f"{where}: this key is a pure number; give the number alone"
        if match[2] == unit:
            return f"{where}: this key is in {unit}; give the number alone: {match[1]}"
        return f"{where}: this key is in {unit}, not in {match[2]}; convert it and give the number alone"
    allowed = _allowed(field, unit)
    hint = suggest_name(given, map(str, _choices(field))) if isinstance(given, str) else ""
    said = f" {message}." if message and not allowed else ""
    return f"{where} is not allowed;{said} {allowed or 'see the key above it'}{hint} ({_description(schema, key)})"


def _choices(field: Mapping[str, Any]) -> list[Any]:
    """Return the values a key may have, where they are listed."""
    return list(field.get("enum", [field["const"]] if "const" in field else []))


def _allowed(field: Mapping[str, Any], unit: str | None) -> str:
    if _choices(field):
        return f"it must be {'one of ' * (len(_choices(field)) > 1)}{', '.join(map(repr, _choices(field)))}."
    kinds = {"number": "a number", "integer": "a whole number", "string": "a text", "boolean": "true or false"}
    kinds |= {"array": "a list", "object": "a mapping"}
    if field.get("type") not in kinds:
        return ""
    symbol = f" {unit}" if unit not in (None, "1") else ""
    limits = [f"{sign} {field[name]}{symbol}" for name, sign in _LIMITS.items() if name in field]
    if field.get("minItems") is not None:
        n_items = field["minItems"]
        limits.append(f"of {'' if field.get('maxItems') == n_items else 'at least '}{n_items} items")
    if "maxLength" in field:
        limits.append(f"of {field.get('minLength', 0)} to {field['maxLength']} characters")
    number_symbol = symbol if field["type"] in ("number", "integer") and not limits else ""
    return f"it must be {kinds[field['type']]}{number_symbol}{' ' if limits else ''}{' and '.join(limits)}."


def _schema_at(schema: Mapping[str, Any], key: KeyPath) -> Mapping[str, Any]:
    """Return the JSON schema of the value at a key path; empty where there is none.

    Where a mapping may be of several kinds, its kind is a part of the path, as in pydantic's errors:
    ``("potential", "mtp", "level")``. Without it, the path leads to the key that names the kind, and no other.
    """
    found: Mapping[str, Any] = schema
    for part in key:
        found = _resolved(schema, found)
        if "discriminator" in found:
            kinds = found["discriminator"]["mapping"]
            found = {"$ref": kinds[part]} if part in kinds else _schema_of_kind(schema, found, part)
        elif isinstance(part, int):
            prefix = found.get("prefixItems", [])
            found = prefix[part] if part < len(prefix) else found.get("items") or {}
        else:
            found = found.get("properties", {}).get(part, {})
    return _resolved(schema, found)


def _resolved(schema: Mapping[str, Any], entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, and take the value out of an optional."""
    if "anyOf" in entry:
        entry = {**entry, **next(option for option in entry["anyOf"] if option.get("type") != "null")}
    if "$ref" in entry:
        referred: Mapping[str, Any] = schema["$defs"][entry["$ref"].removeprefix("#/$defs/")]
        return {**referred, **{name: value for name, value in entry.items() if name == "description"}}
    if "discriminator" in entry:
        return {**entry, "type": "object"}
    return entry


def _schema_of_kind(schema: Mapping[str, Any], union: Mapping[str, Any], part: str | int) -> Mapping[str, Any]:
    """Return the schema of the key that tells the kinds of a mapping apart."""
    if part != union["discriminator"]["propertyName"]:
        return {}
    tags = _tags(schema, union)
    return {"enum": [tag["const"] for tag in tags], "description": tags[0].get("description", "")}


def _tags(schema: Mapping[str, Any], union: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the schemas of the key that tells the kinds of a mapping apart, in the order of the kinds."""
    return [_resolved(schema, kind)["properties"][union["discriminator"]["propertyName"]] for kind in union["oneOf"]]


def _kind_of(schema: Mapping[str, Any], union: Mapping[str, Any], given: Mapping[str, Any]) -> str | None:
    """Return the kind of a mapping: what it names, or the kind that need not be named."""
    name, kinds = union["discriminator"]["propertyName"], union["discriminator"]["mapping"]
    if name in given:
        return str(given[name]) if str(given[name]) in kinds else None
    defaults = (key.get("default") for key in _tags(schema, union))
    return next((str(default) for default in defaults if default is not None), None)


def _kinds_with(key: KeyPath, schema: Mapping[str, Any]) -> str:
    """Say which other kinds of the mapping have a key, where it has kinds."""
    union = _schema_at(schema, key[:-2])
    if "discriminator" not in union:
        return ""
    name, kinds = union["discriminator"]["propertyName"], union["discriminator"]["mapping"]
    others = [kind for kind in kinds if key[-1] in _schema_at(schema, (*key[:-2], kind)).get("properties", {})]
    return f" It belongs to {name}: {' or '.join(others)}, and {name}: {key[-2]} is given" if others else ""


def _without_kinds(key: KeyPath, schema: Mapping[str, Any]) -> KeyPath:
    """Return a key path as it is in the file."""
    return tuple(
        part
        for depth, part in enumerate(key)
        if part not in _schema_at(schema, key[:depth]).get("discriminator", {}).get("mapping", {})
    )


def _unit(schema: Mapping[str, Any], key: KeyPath) -> str | None:
    """Return the unit of a key, or of the list it is in."""
    for depth in range(len(key), 0, -1):
        unit = _schema_at(schema, key[:depth]).get("unit")
        if unit is not None or isinstance(key[depth - 1], str):
            return unit
    return None


def _description(schema: Mapping[str, Any], key: KeyPath) -> str:
    named = key[: max((i + 1 for i, part in enumerate(key) if isinstance(part, str)), default=0)]
    return str(_schema_at(schema, named).get("description", "no description"))


def _booleans_for_numbers(given: Any, schema: Mapping[str, Any], key: KeyPath) -> Iterator[tuple[KeyPath, bool]]:
    """Yield the booleans where a number is asked for, which pydantic would take for 0 and 1."""
    if isinstance(given, bool):
        if _schema_at(schema, key).get("type") in ("number", "integer"):
            yield key, given
    elif isinstance(given, dict):
        found = _schema_at(schema, key)
        kind = _kind_of(schema, found, given) if "discriminator" in found else None
        within = key if kind is None else (*key, kind)
        for name, value in given.items():
            yield from _booleans_for_numbers(value, schema, (*within, str(name)))
    elif isinstance(given, list):
        for index, value in enumerate(given):
            yield from _booleans_for_numbers(value, schema, (*key, index))


def _children(node: yaml.Node) -> Iterator[tuple[str | int, yaml.Node, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((str(name.value), name, value) for name, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from ((index, value, value) for index, value in enumerate(node.value))


def _lines(node: yaml.Node | None, key: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    for part, name, value in _children(node) if node is not None else ():
        yield (*key, part), name.start_mark.line + 1
        yield from _lines(value, (*key, part))


def _duplicates(node: yaml.Node | None, key: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    seen: set[str | int] = set()
    for part, name, value in _children(node) if node is not None else ():
        if part in seen:
            yield (*key, part), name.start_mark.line + 1
        seen.add(part)
        yield from _duplicates(value, (*key, part))


def _key(key: KeyPath) -> str:
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text or "(the whole file)"


def _where(key: KeyPath, schema: Mapping[str, Any], lines: Mapping[KeyPath, int]) -> str:
    """Name a key as the file has it, and its line."""
    key = _without_kinds(key, schema)
    return _key(key) + (f" (line {lines[key]})" if key in lines else "")
