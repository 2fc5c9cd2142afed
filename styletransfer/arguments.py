"""What several commands of style transfer agree on."""

STEADY = 0.8  # of a film, see common.videos.steady
