"""Flicker, on videos whose truth is known."""

import numpy as np
import pytest

from common.videos.flicker import Flicker, VideoMeasure, measure_video
from common.videos.motion import carry, find_motion, lightness
from common.videos.steady import Steady, all_of
from tests.videos import pan, write_video


def moved(frame, right, down):
    return np.roll(np.roll(frame, right, axis=1), down, axis=0)


@pytest.fixture(scope="module")
def scene():
    return pan(1, size=(160, 120))[0]


def test_motion_of_a_shifted_frame_is_the_shift(scene):
    now = moved(scene, 3, 2)
    motion = find_motion(lightness(now), lightness(scene))
    inner = motion[20:-20, 20:-20]
    np.testing.assert_allclose(np.median(inner, axis=(0, 1)), [-3, -2], atol=0.25)
    carried = carry(scene, motion)[20:-20, 20:-20]
    assert np.abs(carried.astype(int) - now[20:-20, 20:-20]).mean() < 3


def test_flicker_of_results_that_change_by_four_is_four(scene):
    flicker = Flicker(all_of)
    for i in range(4):
        flicker.add(scene, {"still": scene, "flickers": (scene // 2 + 4 * (i % 2)).astype(np.uint8)})
    assert flicker.means()["still"] == 0
    assert flicker.means()["flickers"] == pytest.approx(4, abs=0.05)


def test_steady_results_are_nearer_to_their_mean(scene):
    steady, shown = Steady(0.9), []
    for i in range(20):
        shown.append(steady(scene, (scene // 2 + 8 * (i % 2)).astype(np.uint8)))
    change = np.abs(shown[-1].astype(int) - shown[-2])
    assert change.mean() < 1.5  # 8 without it
    assert shown[-1].astype(int).mean() == pytest.approx((scene // 2).mean() + 4, abs=1)


def test_nothing_is_mixed_across_a_cut(scene):
    steady, other = Steady(0.9), pan(1, size=(160, 120), photo="rocket.jpg")[0]
    steady(scene, scene)
    assert np.array_equal(steady(other, other), other)


def test_nothing_trails_behind_what_moves():
    grey = np.full((120, 160, 3), 90, np.uint8)
    rng = np.random.default_rng(0)
    ground = (grey + rng.integers(-30, 30, (120, 160, 1))).astype(np.uint8)
    thing = np.clip(rng.integers(180, 255, (30, 30, 1)), 0, 255).astype(np.uint8).repeat(3, axis=2)
    steady, last = Steady(0.9), None
    for i in range(8):
        frame = ground.copy()
        frame[40:70, 10 + 12 * i : 40 + 12 * i] = thing
        result = frame.copy()
        result[..., 2] = np.where(frame[..., 2] > 170, 250, 40)  # the thing is blue
        last = steady(frame, result)
    behind = last[40:70, 60:85, 2].astype(int)  # where it was two and more frames ago
    assert np.abs(behind - 40).mean() < 12


def test_zero_is_nothing(scene):
    steady = Steady(0)
    steady(scene, scene)
    assert steady(scene, scene // 2) is not None
    assert np.array_equal(steady(scene, scene // 2), scene // 2)


def test_a_video_is_measured_beside_its_own_flicker(tmp_path):
    path = write_video(tmp_path / "a.mp4", pan(12, size=(160, 120)))
    numbers = iter(range(1000))

    def flickering(frame):
        return (frame // 2 + 10 * (next(numbers) % 2)).astype(np.uint8)

    measures = {"error": lambda result, true: float(np.abs(result.astype(int) - true // 2 - 5).mean())}
    table = measure_video(path, VideoMeasure(lambda frame: (frame, frame), flickering, measures), Steady(0.9))
    assert list(table.index) == ["video", "plain", "steady"]
    assert table.loc["plain", "flicker"] > 9
    assert table.loc["steady", "flicker"] < table.loc["plain", "flicker"] / 2
    assert table.loc["steady", "error"] < table.loc["plain", "error"]
