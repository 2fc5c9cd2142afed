"""What a visitor may not do to the page, played against one that runs."""

import socket
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.common.web.visitor import Visitor, httpx, photo, text_of, values_of


def listing(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def raw(site, path):
    """The status of GET, with the path as it is: clients tidy `..` away."""
    host, port = site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return int(connection.recv(100).split()[1])


NAMES = ["..", "../beside", "%2e%2e", "..%2f..%2fbeside", "%2e%2e%2fbeside", "{beside}", "%2F{beside}", "."]


@pytest.mark.parametrize("name", NAMES)
def test_a_session_named_after_a_folder_deletes_and_makes_nothing(site, visitor, make_visitor, name):
    before, name = listing(site.beside), name.format(beside=site.beside)
    for session in {name, name.replace("%2e", ".").replace("%2f", "/").replace("%2F", "/")}:
        attacker = make_visitor(session)
        for fn_index in range(8):
            attacker.join([], fn_index=fn_index)
        assert attacker.start(attacker.upload(("a.png", photo()))).done
        with attacker.open_page(quote(session, safe="")):
            pass
    raw(site, f"/gradio_api/heartbeat/{name}")
    raw(site, f"/gradio_api/heartbeat/{quote(name, safe='')}")
    time.sleep(0.2)
    assert listing(site.beside) == before
    assert sorted(path.name for path in site.around.iterdir()) == ["beside", "models", "page"]


def test_only_start_can_be_called(site, visitor):
    assert {number: fn.api_visibility for number, fn in site.blocks.fns.items()} == {0: "private"}
    for fn_index in range(1, 8):
        assert visitor.join([], fn_index=fn_index).status_code >= 400
    for route in ("run/start", "api/start", "call/start", "call/v2/start", "run/predict"):
        assert visitor.client.post(f"/gradio_api/{route}", json={"data": [], "fn_index": 0}).status_code == 404
    for route in ("cancel", "reset", "component_server", "process_recording", "vibe-edit", "stream/1"):
        assert visitor.client.post(f"/gradio_api/{route}", json={}).status_code == 404
    for route in ("deep_link?session_hash=a", "runs", "openapi.json", "proxy=http://127.0.0.1", "info"):
        assert visitor.get(f"/gradio_api/{route}").status_code == 404


def test_files_that_nobody_uploaded_are_not_read(site, visitor, make_visitor):
    other = make_visitor()
    (path,) = other.upload(("other.png", photo()))
    other.start([path])
    weights = site.page.models["secret"]
    foreign = ["/etc/passwd", str(weights), str(site.beside / "precious.txt"), f"{site.folder}/../beside/precious.txt"]
    folders = [str(site.folder), str(Path(path).parent), f"{Path(path).parent}/../", f"{path}/../../", "/", "."]
    fetched = ["http://127.0.0.1:1/a.png", "https://example.com/a.png", "file:///etc/passwd", "//host/share"]
    for name in [*foreign, *folders, *fetched, "", None, ["a"], {"path": "/etc/passwd"}]:
        before = set(site.folder.rglob("*"))
        assert visitor.join([name]).status_code == 403
        assert visitor.join([], Strength={"path": name, "meta": {"_type": "gradio.FileData"}}).status_code == 403
        assert set(site.folder.rglob("*")) == before


def test_files_outside_of_the_page_are_not_served(site, visitor):
    weights = site.page.models["secret"]
    code = Path(__file__)
    outside = ["/etc/passwd", str(weights), str(code), str(site.beside / "precious.txt"), "pyproject.toml", "."]
    inside = [f"{site.folder}/../models/{weights.name}", str(site.folder), f"{site.folder}/..", ""]
    for path in [*outside, *inside, "https://example.com", "http://127.0.0.1:1", "a\0b", "x" * 5000]:
        for route in ("file=", "file/"):
            quoted = quote(path, safe="")
            assert visitor.get(f"/gradio_api/{route}{quoted}").status_code in (403, 404)
            assert raw(site, f"/gradio_api/{route}{quoted}") in (403, 404)
    assert raw(site, f"/enhance/gradio_api/file={quote(str(weights))}") in (403, 404)
    assert raw(site, "/enhance/gradio_api/run/start") in (404, 405)


def test_what_is_out_of_range_is_refused(visitor):
    path = visitor.upload(("a.png", photo()))
    for changed in ({"Model": "/etc/passwd"}, {"Model": "none"}, {"Mixed with": "../x"}, {"Strength": 2}):
        assert not visitor.start(path, **changed).done
    body = '{"data": [null, "secret", NaN, "none", 0], "fn_index": 0, "session_hash": "a"}'
    for text in (body, "[" * 100_000, "{", "", "\xff"):
        response = visitor.client.post(
            "/gradio_api/queue/join", content=text.encode("latin-1"), headers={"content-type": "application/json"}
        )
        assert response.status_code == 400


def test_an_option_that_is_a_file_can_be_named_by_nobody(site, pointed_site):
    assert "Notes" not in values_of(site)
    assert {number: fn.api_visibility for number, fn in pointed_site.blocks.fns.items()} == dict.fromkeys(
        range(3), "private"
    )
    precious = str(pointed_site.beside / "precious.txt")
    file = {"path": precious, "meta": {"_type": "gradio.FileData"}}
    point = {"x": 1, "y": 1, "color": precious}
    before = listing(pointed_site.beside)
    for event in (0, 1, 2):
        values = values_of(pointed_site, event)
        assert "Notes" not in values
        visitor = Visitor(pointed_site.url, values)
        (path,) = visitor.upload(("a.png", photo()))
        pointed_site.given.clear()
        for sent in (precious, [precious], {"notes": precious}, {"points": precious}, {"points": [precious]}):
            visitor.start([path], event, Points=sent, Notes=precious)
        visitor.start([path], event, Points={"points": [point], "at": 0, "notes": precious})
        assert visitor.join([path], event, Points=file).status_code == 403
        assert visitor.join([path], event, Points={"points": [{**point, **file}], "at": 0}).status_code == 403
        told = [options.get("notes") for options in pointed_site.given]
        assert told
        assert all(value is None or value == [(1, 1, precious)] for value in told)  # a point's, never a file's
    assert Visitor(pointed_site.url, values).join([], 3).status_code == 404
    assert listing(pointed_site.beside) == before


def test_results_have_names_that_nobody_guesses(site, visitor):
    path = visitor.upload(("a.png", photo()))
    results = [Path(visitor.start(path).data[1]["path"]) for _ in range(3)]
    parts = {result.relative_to(site.folder).parts[0] for result in results}
    assert len(parts) == 3
    assert all(len(part) >= 22 for part in parts)
    assert visitor.get(f"/gradio_api/file={results[0]}").content.startswith(b"\x89PNG")


def test_another_sites_page_sends_nothing(visitor):
    headers = {"sec-fetch-site": "cross-site"}
    files = [("files", ("a.png", photo()))]
    assert visitor.client.post("/gradio_api/upload", files=files, headers=headers).status_code == 403


def test_names_show_as_text_and_no_message_holds_a_path(site, visitor):
    name = "__b__ [x](y) &lt;img src=x onerror=alert(1)&gt; www.example.com.png"
    (path,) = visitor.upload((name, b"broken"))
    answer = visitor.start([path])
    markdown = answer.data[2]
    assert not set(markdown) & set("<>*[]()_`")
    assert "." not in markdown.split(" photos in ")[0]
    assert f"{Path(path).name}: no photo" in text_of(answer)
    assert Path(path).name == "__b__ [x](y) &lt;img src=x onerror=alert(1)&gt; www.example.com.png"
    Path(path).unlink()
    said = text_of(visitor.start([path]))
    assert "no longer here; drop it again" in said
    assert "/" not in said


def test_addresses_behind_a_proxy_begin_with_the_root_path(site):
    headers = {"x-forwarded-host": "example.com", "x-forwarded-proto": "https"}
    assert httpx.get(f"{site.url}/config", headers=headers).json()["root"] == "https://example.com/enhance"
    forged = httpx.get(f"{site.url}/config", headers={"x-forwarded-host": "evil.example"}).json()["root"]
    assert forged == "http://evil.example/enhance"
    assert httpx.get(f"{site.url}/config").json()["root"] == f"{site.url}/enhance"


def test_what_a_visitor_uploads_runs_in_no_browser(visitor):
    script = b"<script>alert(1)</script>"
    for path in visitor.upload(("a.html", script), ("a.svg", b"<svg onload=alert(1) />"), ("a.js", script)):
        headers = visitor.get(f"/gradio_api/file={quote(path)}").raise_for_status().headers
        assert headers["content-type"] == "application/octet-stream"
        assert headers["content-disposition"].startswith("attachment")


def test_a_password_keeps_everything_from_strangers(closed_site):
    stranger = Visitor(closed_site.url, {})
    assert stranger.send(("a.png", photo())).status_code == 401
    assert stranger.join([]).status_code == 401
    page = stranger.get("/").text
    assert "auth_required" in page
    assert not any(word in page for word in ("secret", "Strength", str(closed_site.around)))
    for route in ("/config", "/gradio_api/queue/data?session_hash=a", f"/gradio_api/file={closed_site.folder}/a"):
        assert stranger.get(route).status_code == 401
    assert stranger.client.post("/login", data={"username": "me", "password": "a Secret"}).status_code == 400
    assert stranger.client.post("/login", data={"username": "me", "password": "a secret"}).status_code == 200
    assert stranger.send(("a.png", photo())).status_code == 200


def test_gradio_does_not_warn(site):
    assert [str(one.message) for one in site.said if issubclass(one.category, UserWarning)] == []
