"""The frames of a video as arrays, and back: the right matrix and range, upright, 8 or 16 bits."""

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation

from common.videos.colors import RGB, SWSCALE, is_full, matrix_of, range_number
from common.videos.encoding import is_rgb
from common.videos.video import Video

EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP | Interpolation.FULL_CHR_H_INT


def to_array(frame: VideoFrame, video: Video) -> np.ndarray:
    """(H, W, 3) uint8, or uint16 of a video with more than 8 bits, upright."""
    rgb = frame.reformat(
        format="rgb48le" if video.deep else "rgb24",
        src_colorspace=SWSCALE[matrix_of(frame)],
        src_color_range=range_number(is_full(frame)),
        dst_color_range=ColorRange.JPEG,
        interpolation=EXACT,
    ).to_ndarray()
    turned = np.rot90(rgb, round(video.rotation / 90))
    return np.ascontiguousarray(turned[:, ::-1] if video.mirrored else turned)


def to_frame(
    pixels: np.ndarray, video: Video, like: VideoFrame, pts: int, pixel_format: str, size: tuple[int, int]
) -> VideoFrame:
    """The frame of `to_array`, or a larger one, with the matrix and the range of the video.

    like: the frame that it was; pts: its time; size: width and height of the result before players turn it, which all
    frames have, even if the video's change. Where a column or a row is missing for that, the last one is doubled.
    """
    upright = pixels[:, ::-1] if video.mirrored else pixels
    turned = np.ascontiguousarray(np.rot90(upright, -round(video.rotation / 90)))
    width, height = size
    down, right = height - turned.shape[0], width - turned.shape[1]
    if (down, right) in ((0, 1), (1, 0), (1, 1)):
        turned = np.pad(turned, ((0, down), (0, right), (0, 0)), "edge")
    rgb = VideoFrame.from_ndarray(turned, format="rgb48le" if turned.dtype == np.uint16 else "rgb24")
    full_range = video.full_range or is_rgb(pixel_format)
    frame = rgb.reformat(
        width=width,
        height=height,
        format=pixel_format,
        dst_colorspace=SWSCALE[video.matrix],
        src_color_range=ColorRange.JPEG,
        dst_color_range=range_number(full_range),
        interpolation=EXACT,
    )
    frame.pts, frame.time_base = pts, like.time_base
    frame.colorspace = RGB if is_rgb(pixel_format) else video.matrix
    frame.color_range = range_number(full_range)
    frame.color_primaries, frame.color_trc = like.color_primaries, like.color_trc
    return frame
