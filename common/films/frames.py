"""The pictures of a film as arrays, and back: the right matrix and range, upright, 8 or 16 bits."""

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from common.films.film import Film

EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP | Interpolation.FULL_CHR_H_INT
MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}  # FFmpeg's AVColorSpace: swscale's number of the same matrix
HD = 720  # lines: from here on the matrix is BT.709 where the file does not say, as players take it


def to_array(frame: VideoFrame, film: Film) -> np.ndarray:
    """(H, W, 3) uint8, or uint16 of a film with more than 8 bits, turned upright."""
    rgb = frame.reformat(
        format="rgb48le" if film.deep else "rgb24",
        src_colorspace=matrix_of(frame),
        src_color_range=range_of(frame),
        dst_color_range=ColorRange.JPEG,
        interpolation=EXACT,
    ).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, film.rotation // 90))


def to_frame(pixels: np.ndarray, film: Film, like: VideoFrame, pts: int, pixel_format: str) -> VideoFrame:
    """The picture of `to_array`, or a larger one, with the matrix and the range of the frame `like`. pts: its time."""
    turned = np.ascontiguousarray(np.rot90(pixels, -(film.rotation // 90)))
    rgb = VideoFrame.from_ndarray(turned, format="rgb48le" if turned.dtype == np.uint16 else "rgb24")
    frame = rgb.reformat(
        format=pixel_format,
        dst_colorspace=matrix_of(like),
        src_color_range=ColorRange.JPEG,
        dst_color_range=range_of(like),
        interpolation=EXACT,
    )
    frame.pts, frame.time_base = pts, like.time_base
    frame.colorspace, frame.color_range = like.colorspace, like.color_range
    frame.color_primaries, frame.color_trc = like.color_primaries, like.color_trc
    return frame


def matrix_of(frame: VideoFrame) -> int:
    """swscale's number of the frame's YCbCr matrix; where the file does not say, of what players take at its size."""
    default = Colorspace.ITU709 if frame.height >= HD else Colorspace.ITU601
    return MATRICES.get(int(frame.colorspace), int(default))


def range_of(frame: VideoFrame) -> ColorRange:
    """The frame's range: 16 to 235 unless it says 0 to 255."""
    full = int(frame.color_range) == int(ColorRange.JPEG) or frame.format.name.startswith("yuvj")
    return ColorRange.JPEG if full else ColorRange.MPEG
