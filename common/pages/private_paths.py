"""Paths on a page that may be mailed: without the user's name."""

import getpass
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup


def hide_user(value: Any) -> Any:
    """A text in which the home folder is written `~`, and other folders with the user's name `...`.

    What is no text, or is markup or a picture's address, comes back as it is.
    """
    if not isinstance(value, str) or isinstance(value, Markup) or value.startswith("data:"):
        return value
    homes, names = set[str](), set[str]()
    with suppress(RuntimeError):  # there is none
        homes = {str(Path.home()), str(Path.home().resolve())} - {"/"}
    with suppress(KeyError, OSError, ImportError):  # the user of a container may have no name
        names = {getpass.getuser()}
    for pattern, short in compile_patterns(frozenset(homes), frozenset(names)):
        value = pattern.sub(short, value)
    return value


@cache
def compile_patterns(homes: frozenset[str], names: frozenset[str]) -> list[tuple[re.Pattern[str], str]]:
    """[(pattern, what is written for it)], the longest homes first."""
    ordered = sorted(homes, key=len, reverse=True)
    patterns = [(re.compile(rf"(?<![\w.~/\\-]){re.escape(home)}(?![\w.-])"), "~") for home in ordered]
    return patterns + [(re.compile(rf"(?<=[/\\]){re.escape(name)}(?=[/\\])"), "...") for name in names]
