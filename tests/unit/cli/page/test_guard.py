"""Requests that are refused, without a server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from stylehead.cli.page.guard import UPLOADS, WORDS, Guard

HOST = "127.0.0.1:7860"
MOST = 2 << 20


def ask(
    *parts: bytes, path: str = "/", method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Return status and headers of an answer, and the body that came through."""
    came: list[bytes] = []
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del scope
        while True:
            message = await receive()
            if message["type"] != "http.request":
                came.clear()
                return
            came.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    left = list(parts) or [b""]

    async def receive() -> Any:
        if not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    asyncio.run(Guard(app, most=MOST)(scope, receive, send))
    if not sent:
        return 0, {}, b""
    named = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], named, b"".join(came)


def test_this_machine_may_ask_and_gets_a_policy():
    for host in (HOST, "localhost", "LOCALHOST:9", "[::1]:7860"):
        status, headers, _ = ask(host=host)
        assert status == 200, host
        assert "connect-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "a@evil", "0.0.0.0", "["]
)
def test_other_names_may_not(host: str):
    assert ask(host=host)[0] == 403


def test_other_pages_may_not():
    assert ask(origin=f"http://{HOST}")[0] == 200
    for origin in ("null", "http://evil.example", "http://127.0.0.1:1", f"http://{HOST}.evil"):
        assert ask(origin=origin)[0] == 403, origin
    assert ask(sec_fetch_site="cross-site", sec_fetch_mode="no-cors")[0] == 403
    assert ask(sec_fetch_site="cross-site", sec_fetch_mode="navigate")[0] == 200  # a link


def test_an_upload_has_a_limit_also_without_a_length():
    words = {"path": UPLOADS, "method": "POST"}
    block = b"x" * (1 << 20)
    assert ask(block, b"y", **words)[2] == block + b"y"
    assert ask(content_length=str(MOST + 1), **words)[0] == 413
    assert ask(content_length="many", **words)[0] == 413
    assert ask(block, block, b"y", **words) == (0, {}, b""), "broken off"


def test_words_have_a_smaller_one_and_come_through_whole():
    words = {"path": "/gradio_api/queue/join", "method": "POST"}
    assert ask(b'{"data"', b": []}", **words)[2] == b'{"data": []}'
    assert ask(b"x" * WORDS, b"y", **words)[0] == 413
    assert ask(content_length=str(WORDS + 1), **words)[0] == 413


def test_no_file_is_fetched_from_an_address():
    def join(value: object) -> int:
        body = json.dumps({"data": [value]}).encode()
        return ask(body, path="/gradio_api/queue/join", method="POST")[0]

    assert join({"path": "/uploads/a.png", "url": "http://127.0.0.1:7860/a.png"}) == 200
    assert join("http://is.only/said") == 200
    assert join({"path": "https://evil.example/a.png"}) == 403
    assert join({"options": [{"path": "HTTP://evil.example"}]}) == 403
    assert ask(b"[" * 5000, path="/gradio_api/queue/join", method="POST")[0] == 200  # no page's
    escaped = b'{"data": [{"path": "h\\u0074tp://evil.example"}]}'
    assert ask(escaped, path="/gradio_api/queue/join", method="POST")[0] == 403
