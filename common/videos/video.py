"""What a video's file says about it, checked before work starts."""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from common.photos.formats import CAN_READ_VIDEOS, INSTALL_VIDEOS
from common.photos.open import PhotoError
from common.runtime.errors import UserError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

PICTURES = ("image2", "png_pipe", "jpeg_pipe", "gif", "webp_pipe", "bmp_pipe", "tiff_pipe", "apng")  # FFmpeg's formats


class VideoError(PhotoError):
    """A video that cannot be read, in a line."""


@dataclass(frozen=True)
class Video:
    """What a video is.

    rotation: degrees counterclockwise that players turn it by; mirrored: whether they mirror it then, left to right.
    deep: more than 8 bits a channel. matrix (FFmpeg's AVColorSpace) and full_range: of its result's YCbCr.
    lost: what its result will not have.
    """

    path: Path
    width: int
    height: int
    rate: Fraction  # frames a second, on average
    frames: int  # as far as the file says, or its duration; 0 if neither does
    seconds: float
    rotation: int
    mirrored: bool
    deep: bool
    matrix: int
    full_range: bool
    lost: tuple[str, ...]


def check_packages() -> None:
    """Raises UserError if a package for videos is missing."""
    if not CAN_READ_VIDEOS:
        raise UserError(f"videos need PyAV and OpenCV: {INSTALL_VIDEOS}")


def open_video(path: Path) -> "InputContainer":
    """The file, opened. Raises VideoError if it is broken or no video."""
    import av
    from av.error import FFmpegError

    try:
        container = av.open(str(path.absolute()), metadata_errors="ignore")  # a:b.mp4 would name a protocol
    except (FFmpegError, OSError) as error:
        raise VideoError(f"{path}: cannot be opened as a video; is it cut off? ({error.strerror})") from None
    if any(name in PICTURES for name in container.format.name.split(",")):
        container.close()
        raise VideoError(f"{path}: a picture with the name of a video; give it a picture's ending")
    if all(is_cover(stream) for stream in container.streams.video):
        container.close()
        raise VideoError(f"{path}: there are no frames in it")
    return container


def is_cover(stream: "Stream") -> bool:
    """Whether a stream is a single picture that goes with the file, as albums have."""
    from av.stream import Disposition

    return Disposition.attached_pic in stream.disposition


def video_stream(container: "InputContainer") -> "VideoStream":
    """The stream of frames that is enhanced: the first that is no cover."""
    return next(stream for stream in container.streams.video if not is_cover(stream))


def probe(path: Path) -> Video:
    """What the file says. Raises VideoError if nothing can be made of it."""
    from common.videos.colors import is_full, matrix_of

    with open_video(path) as container:
        stream = video_stream(container)
        first = first_frame(container, path)
        check_progressive(first, path)
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        seconds = float((stream.duration or 0) * (stream.time_base or 0)) or (container.duration or 0) / 1e6
        rotation, mirrored = orientation_of(first)
        return Video(
            path=path,
            width=first.width,
            height=first.height,
            rate=rate,
            frames=stream.frames or round(seconds * rate),
            seconds=seconds,
            rotation=rotation,
            mirrored=mirrored,
            deep=max(component.bits for component in first.format.components) > 8,
            matrix=matrix_of(first),
            full_range=is_full(first),
            lost=lost_of(first, stream),
        )


def check_progressive(frame: "VideoFrame", path: Path) -> None:
    """Raises VideoError if two half pictures are woven into one."""
    if frame.interlaced_frame:
        raise VideoError(f"{path}: interlaced; deinterlace it first, as with ffmpeg -i IN -vf bwdif OUT")


def orientation_of(frame: "VideoFrame") -> tuple[int, bool]:
    """(rotation, mirrored), as in `Video`, of FFmpeg's display matrix: nine numbers, of which four say it."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 0, False
    a, b, _, c, d, *_ = struct.unpack("9i", bytes(matrix))
    mirrored = a * d < b * c
    return round(-math.degrees(math.atan2(b, -a if mirrored else a))), mirrored


def lost_of(frame: "VideoFrame", stream: "VideoStream") -> tuple[str, ...]:
    """What frames like this one have, and results have not. VP8 and VP9 have transparency beside the frames."""
    beside = "1" in (stream.metadata.get("alpha_mode"), stream.metadata.get("ALPHA_MODE"))
    transparent = beside or any(component.is_alpha for component in frame.format.components)
    lost = ["transparency"] if transparent else []
    if frame.side_data.get("MASTERING_DISPLAY_METADATA") or frame.side_data.get("CONTENT_LIGHT_LEVEL"):
        lost.append("HDR10's numbers of screen and brightness")
    return tuple(lost)


def first_frame(container: "InputContainer", path: Path) -> "VideoFrame":
    """The first frame. Raises VideoError if there is none."""
    from av.error import FFmpegError

    for packet in container.demux(video_stream(container)):
        try:
            for frame in packet.decode():
                return frame
        except FFmpegError:
            continue
    raise VideoError(f"{path}: not one frame can be read")
