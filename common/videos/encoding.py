"""How results are encoded, so that phones and browsers play them: codecs, their pixels, and what containers take."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import av
from av.error import FFmpegError

from common.videos.video import Video, VideoError

log = logging.getLogger(__name__)

WEBM, AVI = ".webm", ".avi"  # the first takes VP9; the second has neither times of its own nor rotation


@dataclass(frozen=True)
class Codec:
    """encoder: FFmpeg's name. option: its quality's name, with the values of --quality 1 (worst) and 100 (best).

    eight, deep: FFmpeg's names of its pixels, 8 bits a channel and more; deep is '' where players take no more than 8.
    halves: chroma has half the size, so both sides must be even. others: what else the encoder is told.
    """

    encoder: str
    option: str = ""
    worst: float = 0
    best: float = 0
    eight: str = "yuv420p"
    deep: str = ""
    halves: bool = False
    others: Mapping[str, str] = field(default_factory=dict)


CODECS: Mapping[str, Codec] = {
    "h264": Codec("libx264", "crf", 45, 8, halves=True, others={"preset": "medium"}),
    "h265": Codec(
        "libx265", "crf", 45, 8, deep="yuv420p10le", halves=True,
        others={"preset": "medium", "x265-params": "log-level=error"},
    ),
    "vp9": Codec("libvpx-vp9", "crf", 55, 10, deep="yuv420p10le", others={"b:v": "0", "row-mt": "1"}),
    "ffv1": Codec("ffv1", eight="bgr0", deep="gbrp16le"),  # lossless: RGB as it is
}  # fmt: skip
DEFAULT_QUALITY = 75


def default_codec(result: Path, video: Video) -> str:
    """H.264 plays everywhere, but not with 10 bits: these need H.265, where the container takes it."""
    ending = result.suffix.lower()
    if ending == WEBM:
        return "vp9"
    if video.deep and ending != AVI:
        log.info("%s: has 10 bits, so the result is H.265; --codec h264 makes it 8 bits", video.path)
        return "h265"
    return "h264"


def check_result(result: Path, codec: str, video: Video) -> None:
    """Raises VideoError if FFmpeg cannot write the codec, or the container cannot have it, or not the rotation."""
    try:
        name = av.Codec(CODECS[codec].encoder, "w").canonical_name
    except FFmpegError:
        raise VideoError(f"{result}: the FFmpeg of this PyAV cannot write {codec}; take another with --codec") from None
    ending = result.suffix.lower()
    with av.open(BytesIO(), "w", format=format_of(ending)) as trial:
        if name not in trial.supported_codecs:
            raise VideoError(f"{result}: {ending} files have no {codec}; take another --codec, or another ending")
    if ending == AVI and (video.rotation or video.mirrored):
        raise VideoError(f"{result}: {ending} files cannot say that they are rotated; take another ending")


def format_of(ending: str) -> str:
    """FFmpeg's name of the container."""
    return {".mkv": "matroska", ".m4v": "mp4"}.get(ending, ending.removeprefix("."))


def is_mp4(ending: str) -> bool:
    return ending in (".mp4", ".mov", ".m4v")


def pixel_format(codec: Codec, video: Video) -> str:
    """FFmpeg's name of the result's pixels. A line says if 10 bits become 8."""
    if not video.deep:
        return codec.eight
    if codec.deep in {form.name for form in av.Codec(codec.encoder, "w").video_formats or ()}:
        return codec.deep
    log.warning("%s: 10 bits become 8; --codec h265 in .mp4, .mov or .mkv keeps them", video.path)
    return codec.eight


def is_rgb(pixels: str) -> bool:
    return pixels.startswith(("bgr", "gbr"))


def size_of_result(codec: Codec, video: Video, scale: int) -> tuple[int, int]:
    """Width and height before players turn it. A line says if a column or a row is added: players take even sides."""
    width, height = scale * video.width, scale * video.height
    if not codec.halves or width % 2 == height % 2 == 0:
        return width, height
    even = width + width % 2, height + height % 2
    log.warning(
        "%s: %d x %d becomes %d x %d, the edge doubled, since players want even sides; --codec ffv1 keeps the size",
        video.path, width, height, *even,
    )  # fmt: skip
    return even
