"""Options of the command lines that apply a colourisation model."""

import argparse

from common.commands.arguments import number_at_least

STEADY = 0.9  # of a video, see common.videos.steady


def add_color_arguments(parser: argparse.ArgumentParser) -> None:
    """[--size PIXELS] [--saturation FACTOR]."""
    parser.add_argument(
        "--size",
        type=number_at_least(1, int),
        help="short side, in pixels, of the copy on which colours are found [as trained]. Smaller sees more of the "
        "photo at once: calmer colours; larger finds the colours of smaller things, but knows less about their context",
    )
    parser.add_argument(
        "--saturation",
        type=number_at_least(0.0, float),
        default=1.0,
        help="what the colours are multiplied by [1]. Unsure between colours, a network gives a pale one: try 1.5",
    )
