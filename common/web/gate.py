"""What a request may ask: what a browser that shows the page asks, and no more.

gradio serves far more than a page needs. It fetches addresses, runs ffmpeg on what it is sent, takes any folder below
its own for a photo, and sets no limit to what is sent in all.
"""

import asyncio
import json
import time
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.web.visitors import Visitors

API = "/gradio_api/"
NEEDED = ("queue/data", "upload_progress", "startup-events", "login_check", "app_id")  # beside those with a rule below
MAX_BODY = 1_000_000  # bytes of what is no upload; a photo's name and place take 500


class Refused(Exception):
    """A status, and what is said to the visitor."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Gate:
    """An ASGI middleware before gradio. events: gradio's numbers of what a page can start. max_upload: bytes of all
    files that are sent at once."""

    def __init__(self, app: ASGIApp, visitors: Visitors, events: frozenset[int], max_upload: int) -> None:
        self.app, self.visitors, self.events, self.max_upload = app, visitors, events, max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        route = scope["path"].partition(API)[2] if API in scope["path"] else None  # whatever a proxy puts before it
        try:
            await self.check_size(request, route)
            if route is None:
                await self.app(scope, receive, send)
            elif route == "queue/join":
                await self.app(scope, replay(self.check_start(await request.body()), receive), send)
            elif route.startswith("heartbeat/"):
                await self.stay(route.removeprefix("heartbeat/"), scope, receive, send)
            elif route in ("upload", *NEEDED) or self.is_file_of_ours(route):
                await self.app(scope, receive, send)
            else:
                raise Refused(404, "Not found")
        except Refused as refused:
            plain = route == "upload"  # whose answer gradio shows as it is
            answer = PlainTextResponse if plain else JSONResponse
            await answer(refused.detail if plain else {"detail": refused.detail}, refused.status)(scope, receive, send)

    async def check_size(self, request: Request, route: str | None) -> None:
        """Raises Refused for what another site's page sends, and for what is too large or would fill the disk."""
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return
        if request.headers.get("sec-fetch-site") == "cross-site":
            raise Refused(403, "Open the page itself")
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            raise Refused(411, "The length is missing")
        if int(length) > (self.max_upload if route == "upload" else MAX_BODY):
            raise Refused(413, "Too much at once: send fewer photos")
        if route == "upload" and not await asyncio.to_thread(self.visitors.has_room, int(length)):
            raise Refused(507, "There is no room for more photos now; try again later")

    def check_start(self, body: bytes) -> bytes:
        """The body again, as it was understood. Raises Refused if it starts nothing of the page's, or names a file that
        nobody sent."""

        def check(found: dict) -> dict:
            if "path" in found and str(found["path"]) not in self.visitors.uploads:
                raise Refused(403, "The photos are no longer here: drop them again")
            return found

        def refuse(constant: str) -> None:
            raise ValueError(constant)  # NaN passes every limit of a slider

        try:
            asked = json.loads(body, object_hook=check, parse_constant=refuse)
        except (ValueError, RecursionError):
            raise Refused(400, "Not understood") from None
        if not isinstance(asked, dict) or type(number := asked.get("fn_index")) is not int or number not in self.events:
            raise Refused(404, "Not found")
        return json.dumps(asked).encode()

    async def stay(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        """The connection that a page keeps open; its end is the visitor's leaving."""
        self.visitors.open_pages += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.visitors.open_pages -= 1
            asyncio.get_running_loop().run_in_executor(None, self.visitors.leave, session, time.time())

    def is_file_of_ours(self, route: str) -> bool:
        return route.startswith("file=") and self.visitors.owns(Path(route.removeprefix("file=")))


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body first."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
