"""What several commands of super-resolution agree on."""

STEADY = 0.5  # of a video, see common.videos.steady: at 0.5 PSNR is highest, 0.1 dB above none
