"""What is wrong with a config, in sentences."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from common.config.keys import find_section_class
from common.config.losses import NUMBER, SECTION
from common.runtime.nearest import did_you_mean


def explain_mistakes(
    config_class: type[BaseModel],
    data: dict[str, Any],
    mistakes: Sequence[ErrorDetails],
    source: str,
    places: Mapping[str, str],
) -> list[str]:
    """A line for each key that pydantic complains of: place, key, value, rule, nearest valid name.

    places: where the keys stand that are not the file's own.
    """
    rules: dict[str, list[str]] = {}
    both = " with ".join(
        [source, *(place if ":" in place else f"the {place}" for place in dict.fromkeys(places.values()))]
    )
    for mistake in mistakes:
        keys, value, section = locate_mistake(config_class, data, mistake["loc"])
        key = ".".join(str(key) or "(an empty name)" for key in keys)
        near = [at for name, at in places.items() if f"{key}.".startswith(f"{name}.") or name.startswith(f"{key}.")]
        place = f"{near[-1] if near else source}: {key}"
        kind, context = mistake["type"], mistake.get("ctx", {})
        if kind == "extra_forbidden":
            head, rule = place, f"unknown key; {suggest_nearest(keys[-1], section.model_fields)}"
        elif kind == "missing":
            head, rule = place, "missing, and it has no default"
        elif kind == "value_error":
            head, rule = place if key else both, str(context["error"])
        elif kind == "literal_error":
            names = [name.strip("'") for name in re.split(", | or ", context["expected"])]
            given = "" if mistake["loc"][-1] == "[key]" else f" = {mistake['input']}"
            head, rule = f"{place}{given}", suggest_nearest(str(mistake["input"]), names)
        elif kind == "model_type":
            head, rule = f"{place} = {value}", "must be a section, such as {key: value}"
        elif kind == "path_type":
            head, rule = f"{place} = {value}", "must be a path"
        else:
            head, rule = f"{place} = {value}", re.sub("^(Input|List|Dictionary|String) should", "must", mistake["msg"])
        rules.setdefault(head, []).append(rule)
    return [f"{head}: {' or '.join(rule)}" for head, rule in rules.items()]


def locate_mistake(
    config_class: type[BaseModel], data: dict[str, Any], loc: Iterable[str | int]
) -> tuple[list[Any], Any, type[BaseModel]]:
    """Follows pydantic's `loc` as far as it names real keys (it also names union members).

    Returns the keys, the value there, and the section class that the last key belongs to.
    """
    keys: list[Any] = []
    value: Any = data
    section, inner = config_class, config_class
    for part in loc:
        fields = inner.model_fields if inner else {}
        if part in (NUMBER, SECTION):
            continue
        if isinstance(value, dict) and (part in value or part in fields):
            section, value = inner or section, value.get(part)
            inner = find_section_class(fields[part].annotation) if part in fields else None
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
        else:
            break
        keys.append(part)
    return keys, value, section


def suggest_nearest(name: str, valid: Iterable[str]) -> str:
    """The rule 'must be one of ...', with the nearest name if one is near."""
    valid = list(valid)
    return f"must be one of {', '.join(valid)}{did_you_mean(name, valid)}"
