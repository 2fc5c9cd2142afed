"""Videos for tests, made from photos, so that what should come out is known."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from PIL import Image

from common.batches.folders import sample_photos

RATE = 25
SOUND_RATE = 44_100


def pan(n: int, size: tuple[int, int] = (64, 48), photo: str = "coffee.png", noise: float = 0) -> list[np.ndarray]:
    """n frames, (H, W, 3) uint8, of a window of `size` (width, height) that moves over a sample photo."""
    (path,) = (path for path in sample_photos() if path.name == photo)
    with Image.open(path) as image:
        whole = image.convert("RGB").resize((2 * size[0], 2 * size[1]), Image.Resampling.BICUBIC)
    rng = np.random.default_rng(0)
    frames = []
    for i in range(n):
        left, top = size[0] * i / (2 * n), size[1] * i / (3 * n)
        window = np.asarray(whole.resize(size, Image.Resampling.BICUBIC, (left, top, left + size[0], top + size[1])))
        frames.append((window + rng.normal(0, noise, window.shape)).clip(0, 255).round().astype(np.uint8))
    return frames


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = "libx264",
    pixel_format: str = "yuv444p",
    rotation: int = 0,
    mirrored: bool = False,
    sound: bool = False,
    sound_first: bool = False,
    matrix: int = 1,
    pixel_range: int = 1,
    milliseconds: Sequence[int] | None = None,
    subtitles: Sequence[bytes] = (),
) -> Path:
    """Writes frames, nearly without loss. milliseconds: when each is shown; else 25 a second. subtitles: French ones,
    half a second each. sound_first: its stream comes before that of the frames. Returns the path.
    """
    with av.open(str(path), "w") as container:
        voice = container.add_stream("aac", rate=SOUND_RATE) if sound and sound_first else None
        stream = container.add_stream(codec, rate=RATE)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, pixel_range
        stream.codec_context.time_base = Fraction(1, 1000 if milliseconds else RATE)
        stream.codec_context.options = {"libx264": {"crf": "4"}, "mpeg4": {"qscale": "2"}}.get(codec, {})
        if rotation or mirrored:
            stream.set_display_rotation(rotation, mirrored)
        if sound and not sound_first:
            voice = container.add_stream("aac", rate=SOUND_RATE)
        if subtitles:
            add_subtitles(container, subtitles, "mov_text" if path.suffix == ".mp4" else "srt")
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(
                format=pixel_format, dst_colorspace=matrix, dst_color_range=pixel_range
            )
            frame.colorspace, frame.color_range = matrix, pixel_range
            frame.pts, frame.time_base = milliseconds[i] if milliseconds else i, stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if voice is not None:
            for i in range(len(frames) * SOUND_RATE // RATE // 1024):
                wave = (0.3 * np.sin((np.arange(1024) + 1024 * i) / 20)).astype(np.float32)[None]
                samples = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
                samples.sample_rate, samples.pts, samples.time_base = SOUND_RATE, 1024 * i, Fraction(1, SOUND_RATE)
                container.mux(voice.encode(samples))
            container.mux(voice.encode())
    return path


def add_subtitles(container: av.container.OutputContainer, subtitles: Sequence[bytes], codec: str) -> None:
    stream = container.add_stream(codec)
    stream.codec_context.subtitle_header = b"[Script Info]\n"  # the encoder does not open without one
    stream.time_base, stream.metadata["language"] = Fraction(1, 1000), "fre"
    container.start_encoding()
    for i, words in enumerate(subtitles):
        packet = av.Packet(len(words).to_bytes(2, "big") + words if codec == "mov_text" else words)
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = 500 * i
        packet.duration = 500
        container.mux(packet)


def rewrite_video(
    path: Path, result: Path, change: Callable[[int, av.Packet], av.Packet | bytes | None] = lambda _, packet: packet
) -> Path:
    """Copies a video's packets of frames: what `change` makes of (number, packet), or leaves out. Returns the path."""
    with av.open(str(path)) as source, av.open(str(result), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0], opaque=True)
        packets = (packet for packet in source.demux(video=0) if packet.dts is not None)
        for number, packet in enumerate(packets):
            changed = change(number, packet)
            if isinstance(changed, bytes):
                data, changed = changed, av.Packet(changed)
                assert bytes(changed) == data
                changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            if changed is not None:
                changed.stream = stream
                container.mux(changed)
    return result


def sound_of(path: Path) -> bytes:
    """The bytes of a video's sound."""
    with av.open(str(path)) as container:
        return b"".join(bytes(packet) for packet in container.demux(container.streams.audio[0]))


def frames_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def read_streams(path):
    """(tags of the file, [(type, codec, tag, profile, pixels, disposition, tags)] of its streams); all is decoded."""
    with av.open(str(path)) as container:
        streams = [
            {
                "type": stream.type,
                "tag": context and context.codec_tag,
                "profile": context and context.profile,
                "pixels": getattr(context, "pix_fmt", None),
                "cover": Disposition.attached_pic in stream.disposition,
                "tags": stream.metadata,
            }
            for stream in container.streams
            for context in [stream.codec_context]
        ]
        for packet in container.demux():
            if packet.stream.codec_context is not None:
                packet.decode()
        return container.metadata, streams


def remake(path, result, change, options=None):
    """Copies a video; change(container, streams) may say more of it. Returns the path."""
    with av.open(str(path)) as source, av.open(str(result), "w", options=options or {}) as container:
        streams = [container.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        packets = change(container, streams) or []
        for packet in packets:
            container.mux(packet)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                container.mux(packet)
    return result
