"""What the result of a photo needs: its sides, and memory on the way to it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from common.photos.open import PhotoError


class Room(NamedTuple):
    """What a photo needs: the sides of its result, and the pixels of the largest picture on the way to it."""

    height: int
    width: int
    pixels: int


RoomOf = Callable[[int, int], Room]  # of a photo of this height and width


def room_by(
    rule: Callable[[int, int, int, Mapping[str, Any]], tuple[int, int, int]], scale: int, options: Mapping[str, Any]
) -> RoomOf:
    """By `Task.room`, with a model of this scale and these options."""
    return lambda height, width: Room(*rule(height, width, scale, options))


def room_for(path: Path, height: int, width: int, room: RoomOf) -> Room:
    """What the photo `path` needs. Raises PhotoError, with its name, if its result cannot be made."""
    try:
        return room(height, width)
    except PhotoError as error:
        raise PhotoError(f"{path}: {error}") from None


def times(scale: int) -> RoomOf:
    """For results that are so many times larger."""
    return lambda height, width: Room(scale * height, scale * width, scale**2 * height * width)
