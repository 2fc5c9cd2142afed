"""What a video's result is called: it keeps the ending, if videos are written so; else it becomes .mp4 or .mkv."""

from pathlib import Path

from common.photos.formats import CAN_READ_VIDEOS, WRITABLE_VIDEO_SUFFIXES

# FFmpeg's names of sound and subtitles that MKV holds and MP4 does not. What neither holds is turned into AAC.
MKV_ALONE = {"vorbis", "dts", "truehd", "mlp", "dvb_subtitle", "dvd_subtitle", "hdmv_pgs_subtitle"}

PACKETS = ((0, 188), (4, 196))  # bytes at which a transport stream has 0x47: plain, and with times before the packets


def ending_of_result(video: Path) -> str:
    """.mp4, or .mkv for a video with sound or subtitles that MP4 does not hold; '.m4v' and the like stay.

    A file that cannot be read gets .mp4: what is wrong with it is said when it is its turn.
    """
    if video.suffix.lower() in WRITABLE_VIDEO_SUFFIXES:
        return video.suffix
    if not CAN_READ_VIDEOS:
        return ".mp4"
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(video.absolute()), metadata_errors="ignore") as container:
            streams = (*container.streams.audio, *container.streams.subtitles)
            names = {stream.codec_context.codec.canonical_name for stream in streams if stream.codec_context}
    except (FFmpegError, OSError):
        return ".mp4"
    return ".mkv" if names & MKV_ALONE else ".mp4"


def is_script(path: Path) -> bool:
    """Whether a file that ends in .ts is no transport stream: programmers' TypeScript ends so, too."""
    if path.suffix.lower() != ".ts":
        return False
    with path.open("rb") as file:
        start = file.read(197)
    return not any(start[first : first + 1] == start[second : second + 1] == b"G" for first, second in PACKETS)
