"""What somebody probably meant who wrote a name that there is not."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """The end of a message: the valid name that is nearest, in upper or lower case; empty if none is near."""
    by_lower = {word.lower(): word for word in valid}
    near = get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean '{by_lower[near[0]]}'?" if near else ""
