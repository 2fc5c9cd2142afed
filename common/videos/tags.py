"""What a video file says in words: what is true of the video goes along, what was true of that file alone does not."""

import re
from collections.abc import Mapping

OF_FILE = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|vendor_id|alpha_mode|_statistics_.*"
    r"|(bps|duration|number_of_frames|number_of_bytes)(-\w+)?",
    re.IGNORECASE,
)


def tags_of_video(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a file or of its frames without those of the file alone, and without FFmpeg's 'place-eng'
    beside an equal 'place'."""
    twice = {key for key, value in tags.items() if key[-4:-3] == "-" and tags.get(key[:-4]) == value}
    return {key: value for key, value in tags.items() if key not in twice and not OF_FILE.fullmatch(key)}


def tags_of_sound(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a stream that is copied: FFmpeg reads an MP4 track's title as 'name', and writes it from 'title'."""
    return {"title" if key == "name" else key: value for key, value in tags.items()}


def quicktime_tags(tags: Mapping[str, str]) -> list[str]:
    """Those that MP4 has in QuickTime's way alone, such as a phone's place and camera."""
    return [key for key in tags if "." in key or key.lower() in ("make", "model")]
