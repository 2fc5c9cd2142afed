"""Writing a page from its template."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from common.pages.private_paths import hide_user
from common.runtime.files import atomic_write

REPORT_FILE = "report.html"
MAX_BYTES = 5_000_000  # what mail programs take without complaint


@cache
def get_templates() -> Environment:
    """The templates of this folder; what is put into them is escaped, and does not name the user."""
    folder = Path(__file__).parent / "templates"
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        finalize=hide_user,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_page(path: Path, template: str, **values: Any) -> int:
    """Writes the page, whole or not at all. Returns its size in bytes."""
    data = get_templates().get_template(template).render(**values).encode("utf-8", errors="replace")
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)
    return len(data)


def write_within_limit(write: Callable[[int], int], sizes: Sequence[int]) -> None:
    """Calls write(n), which returns a page's size, with one n after the other until the page is small enough."""
    for n in sizes:
        if write(n) <= MAX_BYTES:
            return


def spread(items: Sequence[Any], n: int) -> list[Any]:
    """At most n of the items, evenly spaced, the first and the last among them."""
    if len(items) <= n:
        return list(items)
    return [items[round(i * (len(items) - 1) / (n - 1))] for i in range(n)]


def format_figure(value: float) -> str:
    """Four significant digits."""
    return f"{value:#.4g}".rstrip(".")


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'a': {'b': 1}} -> {'a.b': 1}; lists stay whole."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        result |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {prefix + key: value}
    return result


def to_yaml(value: Any) -> str:
    """A value as one would write it in a config, on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")
