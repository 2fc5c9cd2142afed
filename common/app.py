"""A task's models on a web page: photos go in, a slider shows before and after, the results come out as files.

gradio serves the page, to this computer alone unless told otherwise. It keeps files in a folder that is deleted when a
visitor leaves and when the program ends.
"""

import argparse
import logging
import os
import shutil
import signal
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from torch import nn

from common.data.photos import PhotoError, open_photo
from common.inference.batch import FAILURES, Enhance, enhance_photo, explain_failure, plan_outputs
from common.runtime.errors import UserError

if TYPE_CHECKING:
    import gradio as gr
    from gradio.components import Component

log = logging.getLogger(__name__)

NOT_MIXED = "none"
VISITOR = "visitor"  # without a session
TRIED_SIDE = 256  # pixels of the noise that tells how long a megapixel takes


@dataclass(frozen=True)
class AppTask:
    """What the page must know of a task."""

    title: str
    load: Callable[[Path, Path | None, float], nn.Module]  # (model, other model, part of it): ready to run
    make_options: "Callable[[], dict[str, Component]]"  # the task's own, made inside the page
    get_enhance: Callable[..., Enhance]  # (model, **options)
    keep_grey: bool


@dataclass
class Page:
    """A running page: what its visitors have sent, by session."""

    task: AppTask
    models: dict[str, Path]
    folder: Path
    megapixels: float
    uploads: dict[str, set[Path]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cached = lru_cache(maxsize=4)(self.task.load)
        self.load = lambda path, other, part: cached(path, other, part if other else 0.0)

    def enhance(
        self, files: list[str], model: str, other: str, part: float, options: dict[str, Any], session: str
    ) -> tuple[tuple[str, str] | None, str | None, str]:
        """(pictures before and after of the first photo, the result or a zip of all, messages)."""
        if not files:
            return None, None, "Drop a photo first."
        results = self.folder / session / f"{time.time_ns()}"
        results.mkdir(parents=True)
        try:
            network = self.load(self.models[model], self.models.get(other), part)
            plan = plan_outputs([Path(file) for file in files], results)
        except UserError as error:  # models that cannot be mixed, photos of one name
            return None, None, str(error)
        scale, enhance = int(getattr(network, "scale", 1)), self.task.get_enhance(network, **options)
        lines: list[str] = []
        done: list[tuple[Path, Path]] = []
        started = time.monotonic()
        for photo, result in plan:
            try:
                enhance_photo(photo, result, self.limited(photo, enhance, scale), self.task.keep_grey, scale=scale)
                done.append((photo, result))
            except FAILURES as error:
                lines.append(explain_failure(photo, error).replace(f"{photo}", photo.name))
        if not done:
            return None, None, "\n\n".join(lines)
        lines.append(f"{len(done)} of {len(plan)} photos in {time.monotonic() - started:.1f} s")
        return before_and_after(*done[0], results), bundle([result for _, result in done], results), "\n\n".join(lines)

    def limited(self, photo: Path, enhance: Enhance, scale: int) -> Enhance:
        """`enhance`, which refuses photos whose result would be too large."""

        def checked(pixels: np.ndarray) -> np.ndarray:
            size = scale**2 * pixels.shape[0] * pixels.shape[1] / 1e6
            if size > self.megapixels:
                raise PhotoError(
                    f"{photo}: its result would have {size:.1f} megapixels, and this page makes up to "
                    f"{self.megapixels:g}; predict takes any size"
                )
            return enhance(pixels)

        return checked

    def remember(self, files: list[str] | None, session: str) -> None:
        """Notes what a visitor has sent."""
        self.uploads.setdefault(session, set()).update(Path(file) for file in files or [])

    def forget(self, session: str) -> None:
        """Deletes what a visitor has sent and got."""
        shutil.rmtree(self.folder / session, ignore_errors=True)
        for file in self.uploads.pop(session, ()):
            shutil.rmtree(file.parent, ignore_errors=True)  # gradio makes a folder for each file

    def seconds_for_a_megapixel(self) -> float:
        """Of the result, by the first model with its usual options."""
        model = self.load(next(iter(self.models.values())), None, 0.0)
        noise = np.random.default_rng(0).integers(0, 256, (TRIED_SIDE, TRIED_SIDE, 3), np.uint8)
        enhance = self.task.get_enhance(model)
        enhance(noise)
        started = time.monotonic()
        size = enhance(noise).size / 3 / 1e6
        return (time.monotonic() - started) / size


def before_and_after(photo: Path, result: Path, folder: Path) -> tuple[str, str]:
    """Two JPEGs of one size, for the slider: the photo, enlarged if the result is larger, and the result."""
    after = open_photo(result)
    before = open_photo(photo).resize(after.size, Image.Resampling.BICUBIC)
    paths = folder / "shown" / "before.jpg", folder / "shown" / "after.jpg"
    paths[0].parent.mkdir()
    for picture, path in zip((before, after), paths, strict=True):
        picture.save(path, quality=92)
    return str(paths[0]), str(paths[1])


def bundle(results: list[Path], folder: Path) -> str:
    """The result itself; a zip of several."""
    if len(results) == 1:
        return str(results[0])
    path = folder / "results.zip"
    with zipfile.ZipFile(path, "w") as file:  # not compressed: pictures are
        for result in results:
            file.write(result, result.name)
    return str(path)


def build(page: Page) -> "gr.Blocks":
    """The page's components and what they do."""
    import gradio as gr
    from gradio.themes import Base

    names = list(page.models)
    seconds = page.seconds_for_a_megapixel()
    theme = Base(font=["system-ui", "sans-serif"], font_mono=["monospace"])  # else from Google's server
    with gr.Blocks(title=page.task.title, theme=theme, analytics_enabled=False) as blocks:
        gr.Markdown(
            f"# {page.task.title}\n\nResults of up to {page.megapixels:g} megapixels; each megapixel takes about "
            f"{seconds:.1f} s on this computer. Files are deleted when you close the page."
        )
        with gr.Row():
            with gr.Column(scale=1):
                files = gr.File(label="Photos", file_count="multiple", elem_id="photos")
                model = gr.Dropdown(names, value=names[0], label="Model", visible=len(names) > 1)
                with gr.Group():
                    options = page.task.make_options()
                    other = gr.Dropdown(
                        [NOT_MIXED, *names], value=NOT_MIXED, label="Mixed with", visible=len(names) > 1
                    )
                    part = gr.Slider(0, 1, value=0.5, step=0.05, label="Part of it", visible=len(names) > 1)
                button = gr.Button("Start", variant="primary", elem_id="start")
            with gr.Column(scale=3):
                slider = gr.ImageSlider(label="Before and after", elem_id="slider", interactive=False, max_height=900)
                download = gr.File(label="Result", elem_id="result", interactive=False)
                messages = gr.Markdown(elem_id="messages")

        def start(
            values: dict[Any, Any],
            request: gr.Request,
            progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008 (so gradio asks for it)
        ) -> tuple[tuple[str, str] | None, str | None, str]:
            chosen = {name: values[option] for name, option in options.items()}
            session = request.session_hash or VISITOR
            return page.enhance(values[files], values[model], values[other], values[part], chosen, session)

        button.click(start, {files, model, other, part, *options.values()}, [slider, download, messages])

        def remember(files: list[str], request: gr.Request) -> None:
            page.remember(files, request.session_hash or VISITOR)

        def forget(request: gr.Request) -> None:
            page.forget(request.session_hash or VISITOR)

        files.upload(remember, files)
        blocks.unload(forget)
    return blocks


def serve(task: AppTask, args: argparse.Namespace) -> int:
    """Serves the page until Ctrl-C; returns the exit status. Raises UserError if a model cannot be opened."""
    if find_spec("gradio") is None:
        raise UserError('the page needs gradio: pip install "perceptual-enhance[app]"')
    for stop in (signal.SIGINT, signal.SIGTERM):  # SIGINT is ignored in what a script starts with &
        signal.signal(stop, signal.default_int_handler)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # gradio asks itself whether it runs
    with tempfile.TemporaryDirectory(prefix=f"{task.title}-".replace(" ", "-")) as folder:
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        page = Page(task, name_models(args.models), Path(folder), args.megapixels)
        for model in args.models:
            page.load(model, None, 0.0)
        blocks = build(page)
        _, url, shared = blocks.launch(
            server_name=args.host, server_port=args.port, share=args.share, prevent_thread_lock=True, quiet=True
        )
        log.info("open %s in a browser; Ctrl-C ends it", shared or url)
        try:
            blocks.block_thread()
        finally:
            blocks.close()
    return 0


def name_models(paths: list[Path]) -> dict[str, Path]:
    """{name on the page: file}: a run's folder, or the file's name; the whole path where two are alike."""
    names = [path.parent.name if path.name == "model.safetensors" else path.stem for path in paths]
    return {name if names.count(name) == 1 else str(path): path for name, path in zip(names, paths, strict=True)}
