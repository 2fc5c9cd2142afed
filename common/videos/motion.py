"""How a video moves from one frame to the next: OpenCV's DIS optical flow (Kroeger et al. 2016, arXiv 1603.03590)."""

import cv2
import numpy as np

SIDE = 640  # pixels of the longer side on which motion is found
DIFFERENT = 6.0  # of 255: where a moved frame differs by so much, a third of it is believed
CUT = 25.0  # of 255: a moved frame that differs by more on average is of another scene


def lightness(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> (H, W) uint8."""
    eight = frame if frame.dtype == np.uint8 else (frame >> 8).astype(np.uint8)
    return cv2.cvtColor(eight, cv2.COLOR_RGB2GRAY)


def find_motion(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(H, W, 2) float32: where each pixel of `now` was in `before`, both (H, W) uint8, as (right, down) from here."""
    height, width = now.shape
    factor = min(1.0, SIDE / max(height, width))
    size = (max(16, round(width * factor)), max(16, round(height * factor)))
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in (now, before)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(small[0], small[1], None)  # pyright: ignore[reportCallIssue, reportArgumentType] (its hints are wrong)
    flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    return flow * np.array([width / size[0], height / size[1]], np.float32)


def carry(frame: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """A frame (H, W) or (H, W, C) of before, moved to where its things are now."""
    height, width = motion.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(
        frame, columns + motion[..., 0], rows + motion[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def difference(now: np.ndarray, carried: np.ndarray) -> np.ndarray:
    """(H, W) float32: by how much two (H, W) uint8 differ around each pixel, of 255."""
    return cv2.GaussianBlur(cv2.absdiff(now, carried).astype(np.float32), (0, 0), 1.5)


def belief(now: np.ndarray, carried: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1]: how far the moved frame may be believed to show the same things; 0 everywhere at a cut."""
    differ = difference(now, carried)
    if differ.mean() > CUT:
        return np.zeros_like(differ)
    return np.exp(-((differ / DIFFERENT) ** 2))
