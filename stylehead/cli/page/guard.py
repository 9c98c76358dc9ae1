"""Who may ask the page for what: a door in front of it, for every request."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NAMES = {"127.0.0.1", "localhost", "::1"}
"""Of this machine, as a browser on it says them; a tunnel's other end says them, too."""
WORDS = 1 << 20  # bytes of a request that uploads nothing
READS = ("GET", "HEAD", "OPTIONS")
UPLOADS = "/gradio_api/upload"
ADDRESSES = ("http:", "https:", "ftp:")
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "connect-src 'self' data: blob:; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
)
"""A browser asks nobody but the page itself, whatever the page holds."""
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


class Guard:
    """Refuses requests for other names, from other pages, and larger ones than are allowed.

    A name that somebody else's DNS points here has another Host; a form on somebody else's page has
    another Origin.
    """

    def __init__(self, app: App, *, most: int) -> None:
        """Stand before `app`; an upload has `most` bytes."""
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["type"] != "http":  # the page has no other connections
            return
        refused = _refused(headers)
        if refused:
            await _answer(send, 403, refused)
            return
        upload = scope["path"].rstrip("/") == UPLOADS
        most = self._most if upload else WORDS
        if _length(headers) > most:
            await _answer(send, 413, f"A request has at most {most} bytes here.")
            return
        if not upload and scope["method"] not in READS:
            body = await _body(receive, most)
            if body is None:
                await _answer(send, 413, f"A request has at most {most} bytes here.")
                return
            if _names_an_address(body):
                await _answer(send, 403, "Files are uploaded here, not fetched from an address.")
                return
            receive = _again(body, receive)
        elif upload:
            receive = _bounded(receive, most)
        await self._app(scope, receive, _with_headers(send))


def _refused(headers: dict[bytes, str]) -> str | None:
    host = headers.get(b"host", "")
    if _name_of(host) not in NAMES:
        return "This page is for this machine: open it as http://127.0.0.1."
    origin = headers.get(b"origin")
    if origin is not None and origin != f"http://{host}":
        return "Another page may not use this one."
    if headers.get(b"sec-fetch-site") in ("cross-site", "same-site") and (
        headers.get(b"sec-fetch-mode") != "navigate"
    ):
        return "Another page may not use this one."
    return None


def _name_of(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _length(headers: dict[bytes, str]) -> float:
    text = headers.get(b"content-length", "0")
    return int(text) if text.isdecimal() else float("inf")


def _names_an_address(body: bytes) -> bool:
    """Return whether a request has a file fetched from elsewhere."""
    try:
        waiting = [json.loads(body)]
    except (ValueError, RecursionError):  # nor can the page read it
        return False
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if str(one.get("path")).strip().lower().startswith(ADDRESSES):
                return True
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return False


async def _body(receive: Receive, most: int) -> bytes | None:
    """Return all of a request's body, or None for one that is too long."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what hands on a body that was read already."""
    given = False

    async def hand_on() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return hand_on


def _bounded(receive: Receive, most: int) -> Receive:
    """Return what breaks off a body that has no length and does not end."""
    taken = 0

    async def hand_on() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > most else message

    return hand_on


def _with_headers(send: Send) -> Send:
    async def hand_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in HEADERS}
            kept = [pair for pair in message.get("headers", []) if pair[0].lower() not in own]
            message = {**message, "headers": [*kept, *HEADERS]}
        await send(message)

    return hand_on


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
