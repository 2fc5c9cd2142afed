"""Sound that a container does not hold, such as WMA or AMR in MP4: it becomes AAC."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from common.videos.tags import tags_of_sound

if TYPE_CHECKING:
    from av.container import OutputContainer

# Samples a second that AAC has.
RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
LAYOUTS = {1: "mono", 2: "stereo"}  # by channels, where a file does not say which they are
BITS = 96_000  # a second and channel


class AsAac:
    """The sound of `stream` as AAC, in a new stream of `container`. packets(packet) are those that one of it makes."""

    def __init__(self, stream: AudioStream, container: "OutputContainer") -> None:
        rate = next((rate for rate in RATES if rate >= stream.rate), RATES[-1])
        made = container.add_stream("aac", rate=rate, bit_rate=BITS * stream.channels)
        made.layout = LAYOUTS.get(stream.channels, stream.layout.name)
        made.metadata.update(tags_of_sound(stream.metadata))
        made.disposition = stream.disposition
        self.made = made

    def packets(self, packet: Packet) -> Iterator[Packet]:
        """The last packet of a stream is empty, and makes those that are left. One that is broken makes none."""
        try:
            frames = [frame for frame in packet.decode() if isinstance(frame, AudioFrame)]
        except FFmpegError:
            frames = []
        for frame in frames:
            yield from self.made.encode(frame)
        if packet.dts is None and not packet.size:
            yield from self.made.encode(None)
