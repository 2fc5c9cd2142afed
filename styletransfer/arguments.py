"""What several commands of style transfer agree on."""

STEADY = 0.8  # of a video, see common.videos.steady
