"""A visitor of the page who speaks HTTP alone, as programs do, and attackers."""

import html
import io
import json
import secrets
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from PIL import Image

httpx = pytest.importorskip("httpx")  # gradio's


def photo(color=(90, 120, 200), size=(20, 16), kind="PNG"):
    """A photo file's bytes."""
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, kind)
    return file.getvalue()


def values_of(site, event=0):
    """{label: value} of the components that an event of a page sends, as the page shows them at first."""
    config = Visitor(site.url, {}).get("/config").json()
    props = {component["id"]: component["props"] for component in config["components"]}
    inputs = next(one["inputs"] for one in config["dependencies"] if one["id"] == event)
    return {props[number]["label"]: props[number].get("value") for number in inputs}


class Visitor:
    """A session, and what its browser does for it."""

    def __init__(self, url, values, session=None, **options):
        alone = httpx.Limits(max_keepalive_connections=0)  # gradio hangs up where it fails
        self.client = httpx.Client(base_url=url, timeout=30, limits=alone, **options)
        self.values, self.session = values, session or secrets.token_hex(8)

    def get(self, path):
        return self.client.get(path)

    def send(self, *files):
        """The response to an upload of (name, bytes)."""
        return self.client.post("/gradio_api/upload", files=[("files", file) for file in files])

    def upload(self, *files):
        """The paths that the server gives for them."""
        return self.send(*files).raise_for_status().json()

    def join(self, paths, fn_index=0, session=None, **changed):
        """The response to Start. changed: other values of the page, by label."""
        files = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths]
        values = {**self.values, "Photos": files, **changed}
        body = {"data": list(values.values()), "fn_index": fn_index, "session_hash": session or self.session}
        return self.client.post("/gradio_api/queue/join", json=body)

    def start(self, paths, fn_index=0, **changed):
        """What comes of Start: whether it worked, and the page's (slider, download, messages), or the error."""
        self.join(paths, fn_index, **changed).raise_for_status()
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed":
                    output = message["output"]
                    return SimpleNamespace(done=message["success"], data=output.get("data"), error=output.get("error"))
        raise AssertionError("no answer")

    @contextmanager
    def open_page(self, session=None):
        """The connection of an open page."""
        with self.client.stream("GET", f"/gradio_api/heartbeat/{session or self.session}") as stream:
            chunks = stream.iter_raw()  # kept: when it goes, the connection does
            next(chunks)
            yield


def text_of(answer):
    """The messages as a browser shows them."""
    return html.unescape(answer.data[2])


def wait_until(fact):
    """Whether a fact comes true within 10 seconds."""
    deadline = time.monotonic() + 10
    while not fact() and time.monotonic() < deadline:
        time.sleep(0.02)
    return fact()
