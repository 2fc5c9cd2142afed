"""The keys that a config class has."""

from typing import Any, get_args

from pydantic import BaseModel


def find_section_class(annotation: Any) -> type[BaseModel] | None:
    """The section class in a type such as `list[StageConfig]` or `LayerTerm | None`, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := find_section_class(inner))), None)


def describe_keys(section: type[BaseModel], prefix: str = "") -> list[str]:
    """Lines that explain every key of a config class, for --help: `section.key  type  default  description`."""
    lines: list[str] = []
    for name, field in section.model_fields.items():
        inner = find_section_class(field.annotation)
        is_list = getattr(field.annotation, "__origin__", None) is list
        key = f"{prefix}{name}{'.0' if inner and is_list else ''}"
        if inner and not isinstance(field.default, float):  # a term of the loss, mostly a number
            if field.description:
                lines.append(f"  {prefix + name:28} {field.description}")
            lines += describe_keys(inner, f"{key}.")
        else:
            default = "" if field.is_required() else f"[{'null' if field.default is None else field.default}] "
            lines.append(f"  {key:28} {default}{field.description or ''}".rstrip())
            if inner:
                lines += describe_keys(inner, f"{key}.")
    return lines
