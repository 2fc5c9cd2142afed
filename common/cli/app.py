"""The command line of `app`."""

import argparse

from common.cli.arguments import (
    add_device_argument,
    add_precision_argument,
    add_tile_argument,
    get_parser,
    model_path,
    number_at_least,
)


def get_app_parser(module: str, doc: str | None) -> argparse.ArgumentParser:
    """MODEL... [--port] [--host] [--share] [--megapixels] [--tile] [--precision] [--device]."""
    parser = get_parser(module, doc)
    parser.add_argument("models", nargs="+", type=model_path, help="model files, or the folders of runs")
    parser.add_argument("--port", type=number_at_least(1, int, at_most=65535), help="[the first free one from 7860]")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on [127.0.0.1: this computer]; 0.0.0.0: everybody who reaches it",
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="make it public for 72 hours through a server of gradio's, which sees all photos",
    )
    parser.add_argument(
        "--megapixels", type=number_at_least(0.1, float), default=50.0, help="the largest result that it makes [50]"
    )
    add_tile_argument(parser)
    add_precision_argument(parser)
    add_device_argument(parser)
    return parser
