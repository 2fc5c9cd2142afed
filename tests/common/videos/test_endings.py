"""Videos of other containers: what they become, and that nothing of theirs is lost."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from common.batches.folders import find_photos
from common.inference.plan import plan_outputs
from common.runtime.errors import UserError
from common.videos.enhance import VideoOptions, enhance_video
from common.videos.frames import to_array
from common.videos.steady import Steady
from common.videos.video import probe
from tests.videos import frames_of, pan, write_video

SOUND_RATE = 44_100

# Ending: encoders of frames and of sound, FFmpeg's container, and the ending and the sound of the result.
KINDS = {
    ".ts": ("mpeg2video", "mp2", None, ".mp4", "mp3"),  # an MP4's mp2 is read as mp3, which decodes it
    ".mts": ("libx264", "ac3", "mpegts", ".mp4", "ac3"),
    ".m2ts": ("libx264", "aac", None, ".mp4", "aac"),
    ".mpg": ("mpeg1video", "mp2", None, ".mp4", "mp3"),
    ".vob": ("mpeg2video", "ac3", None, ".mp4", "ac3"),
    ".wmv": ("wmv2", "wmav2", "asf", ".mp4", "aac"),
    ".flv": ("flv", "libmp3lame", None, ".mp4", "mp3"),
    ".ogv": ("libvpx", "vorbis", "ogg", ".mkv", "vorbis"),
    ".3gp": ("mpeg4", "aac", None, ".mp4", "aac"),
    ".m4v": ("libx264", "aac", "mp4", ".m4v", "aac"),
}


def write_kind(path, n=12):
    """A video of KINDS with a sound of 440 Hz. Returns the path."""
    frames, sound, container_format, _, _ = KINDS[path.suffix]
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(frames, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.bit_rate = 4_000_000
        voice = container.add_stream(sound, rate=SOUND_RATE, layout="stereo")
        voice.codec_context.options = {"strict": "experimental"}  # Vorbis
        voice.bit_rate = 128_000
        for i, pixels in enumerate(pan(n)):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p")
            frame.pts = i
            container.mux(stream.encode(frame))
            times = np.arange(SOUND_RATE // 25 * i, SOUND_RATE // 25 * (i + 1)) / SOUND_RATE
            wave = 0.3 * np.sin(2 * np.pi * 440 * times)
            samples = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype(np.float32), "fltp", "stereo")
            samples.sample_rate, samples.pts = SOUND_RATE, SOUND_RATE // 25 * i
            samples.time_base = Fraction(1, SOUND_RATE)
            container.mux(voice.encode(samples))
        container.mux(stream.encode())
        container.mux(voice.encode())
    return path


def sound_of(path):
    """(codec, samples of one channel) of a video's sound."""
    with av.open(str(path)) as container:
        name = container.streams.audio[0].codec_context.codec.canonical_name
        return name, np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def pitch(samples):
    return np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * SOUND_RATE / len(samples)


@pytest.mark.parametrize("ending", KINDS)
def test_videos_of_other_endings_are_read_and_become_what_players_take(ending, tmp_path, caplog):
    caplog.set_level("INFO")
    path = write_kind(tmp_path / f"a{ending}")
    *_, new, sound = KINDS[ending]
    ((_, result),) = plan_outputs([path], tmp_path / "out")
    assert result == tmp_path / f"out/a{new}"
    line = f"videos that end in {ending} become .mp4, or .mkv for sound that MP4 does not hold"
    assert (line in caplog.messages) == (new != ending)
    enhance_video(path, result, lambda frame: frame, Steady(0), VideoOptions(quality=95))
    before, after = frames_of(path), frames_of(result)
    assert len(after) == len(before) == 12
    gaps = [round(float(frame.time - after[0].time), 2) for frame in after]
    assert gaps == [round(float(frame.time - before[0].time), 2) for frame in before]
    assert after[0].time < 0.1  # the times of a broadcast do not begin at 0; those of a video do
    for pixels, frame in zip(pan(12), after, strict=True):
        assert np.abs(pixels.astype(int) - to_array(frame, probe(result))).mean() < 8
    name, samples = sound_of(result)
    assert name == sound
    assert pitch(samples) == pytest.approx(440, abs=5)
    assert not any("cut off" in message for message in caplog.messages)


def test_sound_that_no_container_holds_becomes_aac_with_a_line(tmp_path, caplog):
    path = write_kind(tmp_path / "a.wmv")
    enhance_video(path, tmp_path / "b.mp4", lambda frame: frame, Steady(0), VideoOptions())
    assert caplog.messages == [f"{path}: audio 1 is wmav2, which .mp4 does not hold: it becomes AAC"]


def test_sound_that_nothing_reads_is_left_out_by_its_name(tmp_path, caplog):
    path = write_video(tmp_path / "a.mkv", pan(5), sound=True)
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_ZZZ"))
    enhance_video(path, tmp_path / "b.mp4", lambda picture: picture, Steady(0), VideoOptions())
    assert caplog.messages == [f"{path}: left out of the result: audio 1"]


@pytest.mark.parametrize("ending", [".ts", ".vob", ".m2ts"])
def test_pieces_of_a_recording_with_times_of_their_own_follow_each_other(ending, tmp_path, caplog):
    piece = write_kind(tmp_path / f"piece{ending}")
    path = tmp_path / f"a{ending}"
    path.write_bytes(2 * piece.read_bytes())
    enhance_video(path, tmp_path / "b.mp4", lambda frame: frame, Steady(0), VideoOptions())
    times = [round(float(frame.time), 2) for frame in frames_of(tmp_path / "b.mp4")]
    assert len(times) == 24
    assert np.diff(times).max() < 0.2
    assert caplog.messages == []


def test_a_video_takes_no_name_of_another(tmp_path):
    write_video(tmp_path / "a.mp4", pan(1))
    write_kind(tmp_path / "a.ts", 2)
    write_kind(tmp_path / "a.mpg", 2)
    plan = plan_outputs([tmp_path], tmp_path / "out")
    assert sorted(path.name for _, path in plan) == ["a.mp4", "a.mpg.mp4", "a.ts.mp4"]


def test_an_ending_that_is_not_written_is_refused(tmp_path):
    path = write_kind(tmp_path / "a.ts", 2)
    with pytest.raises(UserError, match=r"b\.ts: videos are written as \.mp4 \.m4v \.mov \.mkv \.avi \.webm; give one"):
        plan_outputs([path], tmp_path / "b.ts")


def test_typescript_among_photos_is_no_video(tmp_path):
    video = write_kind(tmp_path / "video.ts", 2)
    (tmp_path / "Game.ts").write_text("Good = 1\n" * 100)
    Path(tmp_path / "empty.ts").touch()
    assert find_photos(tmp_path, with_videos=True) == [video]
