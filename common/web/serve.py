"""A task's models on a web page: photos go in, a slider shows before and after, the results come out as files.

gradio serves the page, to this computer alone unless told otherwise. `common.web` holds what it does with photos and
what visitors may ask.
"""

import argparse
import ipaddress
import logging
import os
import re
import signal
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from common.inference.ready import ready
from common.models.blend import blend
from common.models.names import name_models
from common.runtime.devices import get_device
from common.runtime.errors import UserError
from common.task import Option, Task
from common.web.page import Page
from common.web.points import NONE, make_component
from common.web.visitors import KEPT_HOURS, Visitors

if TYPE_CHECKING:
    import gradio as gr

log = logging.getLogger(__name__)

NOT_MIXED = "none"
SWEEP_SECONDS = 300.0
QUEUE, SESSIONS = 20, 500  # how many may wait, and how many gradio remembers


def build(page: Page) -> "gr.Blocks":
    """The page's components and what they do: Start, and to follow points that are clicked, if a model takes any."""
    import gradio as gr

    names = list(page.models)
    seconds = page.seconds_for_a_megapixel()
    with gr.Blocks(title=page.task.title, analytics_enabled=False) as blocks:
        gr.Markdown(
            f"# {page.task.title}\n\nUp to {page.photos} photos at once, with results of up to {page.megapixels:g} "
            f"megapixels; each megapixel takes about {seconds:.1f} s on this computer. Files are deleted when you "
            f"close the page, and after {KEPT_HOURS} hours."
        )
        gr.State()  # with it the browser keeps a connection open, whose end tells that the visitor has left
        with gr.Row():
            with gr.Column(scale=1):
                files = gr.File(label="Photos", file_count="multiple", elem_id="photos")
                model = gr.Dropdown(names, value=names[0], label="Model", visible=len(names) > 1)
                with gr.Group():
                    options = {
                        option.name: make_control(option)
                        for option in page.task.options
                        if not option.at_opening and option.type is not Path  # a visitor names no file of ours
                    }
                    other = gr.Dropdown(
                        [NOT_MIXED, *names], value=NOT_MIXED, label="Mixed with", visible=len(names) > 1
                    )
                    part = gr.Slider(0, 1, value=0.5, step=0.05, label="Part of it", visible=len(names) > 1)
                button = gr.Button("Start", variant="primary", elem_id="start")
            with gr.Column(scale=3):
                clicked = make_component() if page.takes_points() else None
                slider = gr.ImageSlider(label="Before and after", elem_id="slider", interactive=False, max_height=900)
                download = gr.File(label="Result", elem_id="result", interactive=False)
                messages = gr.Markdown(elem_id="messages")

        def start(
            values: dict[Any, Any],
            request: gr.Request,
            progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008 (so gradio asks for it)
        ) -> tuple[tuple[str, str] | None, str | list[str] | None, str]:
            shown, result, text = page.enhance(*asked(values, request), NONE if clicked is None else values[clicked])
            return shown, result, as_text(text)

        def asked(
            values: dict[Any, Any], request: gr.Request
        ) -> tuple[list[str], str, str, float, dict[str, Any], str]:
            chosen = {name: values[option] for name, option in options.items()}
            return values[files], values[model], values[other], values[part], chosen, request.session_hash or ""

        def follow(values: dict[Any, Any], request: gr.Request) -> tuple[gr.HTML, str]:
            shown, text = page.follow(*asked(values, request), values[clicked])
            return gr.HTML(**shown), as_text(text)

        def begin(values: dict[Any, Any], request: gr.Request) -> tuple[gr.HTML, str]:
            shown, text = page.follow(*asked(values, request), NONE)
            return gr.HTML(NONE, **shown), as_text(text)

        inputs = {files, model, other, part, *options.values()}
        private: dict[str, Any] = {"api_visibility": "private"}
        button.click(start, inputs if clicked is None else {*inputs, clicked}, [slider, download, messages], **private)
        if clicked is not None:
            private |= {"concurrency_id": "points", "trigger_mode": "always_last", "show_progress": "minimal"}
            files.change(begin, inputs, [clicked, messages], **private)
            settings = [when_settled(control) for control in (model, other, part, *options.values())]
            gr.on([clicked.input, *settings], follow, {*inputs, clicked}, [clicked, messages], **private)
    page.visitors.uploads = blocks.upload_file_set
    return blocks.queue(max_size=QUEUE, default_concurrency_limit=1, api_open=False)


def make_control(option: Option) -> "gr.Checkbox | gr.Dropdown | gr.Textbox | gr.Slider":
    """A task's option on the page: a slider where it has bounds, else a field (see `Option.read`) or a box to tick."""
    import gradio as gr

    common: dict[str, Any] = {
        "value": option.default, "label": option.name.replace("_", " ").capitalize(), "info": option.help,
    }  # fmt: skip
    if option.type is bool:
        return gr.Checkbox(**common)
    if option.choices:
        return gr.Dropdown([*option.choices], **common)
    if option.lowest is None or option.highest is None or option.default is None:
        common["value"] = "" if option.default is None else str(option.default)
        return gr.Textbox(**common)  # for numbers, too: gr.Number takes an empty one for 0
    return gr.Slider(option.lowest, option.highest, step=1 if option.type is int else 0.05, **common)


def when_settled(control: Any) -> Any:
    """The event of a control that it has its value, not one on the way."""
    return getattr(control, {"slider": "release", "textbox": "blur"}.get(control.get_block_name(), "input"))


def as_text(message: str) -> str:
    """Markdown that shows a message as it is: names of files may hold Markdown and HTML."""
    return re.sub(r"[^\w\s]|_", lambda found: f"&#{ord(found[0])};", message)


def launch(page: Page, blocks: "gr.Blocks", args: argparse.Namespace) -> str:
    """Serves the page in threads of its own; returns its address."""
    from gradio.themes import Base
    from starlette.middleware import Middleware

    from common.web.gate import Gate

    max_bytes = int(args.max_megabytes * 1e6)
    events = frozenset(blocks.fns)
    gate = Middleware(Gate, visitors=page.visitors, events=events, max_upload=page.photos * max_bytes + 1_000_000)
    _, url, shared = blocks.launch(
        server_name=args.host,
        server_port=args.port,
        share=args.share,
        auth=args.auth,
        root_path=args.root_path,
        max_file_size=max_bytes,
        app_kwargs={"middleware": [gate]},
        theme=Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),  # else from Google's server
        footer_links=["gradio", "settings"],
        state_session_capacity=SESSIONS,
        prevent_thread_lock=True,
        quiet=True,
        # Environment variables would switch these on, and with them ways around the gate.
        ssr_mode=False,
        num_workers=0,
        mcp_server=False,
        enable_monitoring=False,
        run_history=False,
    )
    return shared or url


def serve(task: Task, args: argparse.Namespace, opening: Mapping[str, Any]) -> int:
    """Serves the page until Ctrl-C; returns the exit status. Raises UserError if a model cannot be opened.

    opening: options that choose among the models of a file.
    """
    if find_spec("gradio") is None:
        raise UserError('the page needs gradio: pip install "perceptual-enhance[app]"')
    for stop in (signal.SIGINT, signal.SIGTERM):  # SIGINT is ignored in what a script starts with &
        signal.signal(stop, signal.default_int_handler)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # gradio asks itself whether it runs
    with tempfile.TemporaryDirectory(prefix=f"{task.title}-".replace(" ", "-")) as folder:
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        visitors = Visitors(Path(folder))
        load = partial(open_model, task, args, opening)
        limits = args.megapixels, args.max_photos, args.max_minutes
        page = Page(task, name_models(args.models), visitors, load, args.tile, *limits)
        for model in args.models:
            page.load(model, None, 0.0)
        blocks = build(page)
        if not args.auth and (args.share or not is_this_computer(args.host)):
            log.warning("everybody who has the address can use this page: --auth USER:PASSWORD asks for a password")
        log.info("open %s in a browser; Ctrl-C ends it", launch(page, blocks, args))
        try:
            while True:
                time.sleep(SWEEP_SECONDS)
                visitors.sweep(time.time() - 3600 * KEPT_HOURS)
        except KeyboardInterrupt:
            return 0
        finally:
            blocks.close()


def open_model(
    task: Task, args: argparse.Namespace, opening: Mapping[str, Any], path: Path, other: Path | None, part: float
) -> nn.Module:
    """The model of `path`, mixed with a part of `other`, ready on the device."""
    use = task.use()
    model = use.choose(use.load(path), **opening)
    if other is not None:
        blend(model, use.choose(use.load(other), **opening), part, other)
    return ready(model, get_device(args.device), args.precision)


def is_this_computer(host: str) -> bool:
    """Whether nobody else reaches what listens on an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name
        return host == "localhost"
