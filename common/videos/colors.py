"""In which YCbCr matrix and range a video has its colours, and in which its result gets them."""

from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange

RGB, BT709, UNKNOWN, BT601 = 0, 1, 2, 6  # FFmpeg's AVColorSpace
SWSCALE = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}  # AVColorSpace: swscale's number of the same matrix
HD = 720  # lines: from here on the matrix is BT.709 where the file does not say, as players take it


def matrix_of(frame: VideoFrame) -> int:
    """AVColorSpace of the frame; where it does not say, or is RGB, of what players take at its size."""
    said = int(frame.colorspace)
    return said if said in SWSCALE else BT709 if frame.height >= HD else BT601


def is_full(frame: VideoFrame) -> bool:
    """Whether the frame's YCbCr has the range 0 to 255; 16 to 235 if it does not say, or is RGB."""
    says_so = int(frame.color_range) == int(ColorRange.JPEG) or frame.format.name.startswith("yuvj")
    return says_so and int(frame.colorspace) != RGB


def range_number(full: bool) -> ColorRange:
    return ColorRange.JPEG if full else ColorRange.MPEG
