"""A file server on this machine's loopback that fails in the ways that real ones do."""

from __future__ import annotations

import http.server
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class FileServer:
    """Serves one content under every path; `steps` say how the next answers go wrong, in turn."""

    def __init__(self, content: bytes, *, ranges: bool = True, etag: str = '"v1"'):
        self.content, self.ranges, self.etag = content, ranges, etag
        self.steps: deque[Step] = deque()
        self.asked: list[tuple[str, dict[str, str]]] = []
        """Path and headers of every request."""
        self.sent = 0
        """Bytes of content sent so far."""
        self.pause = 0.0
        """Seconds between pieces of 64 KiB."""
        self._lock = threading.Lock()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with owner._lock:
                    owner.asked.append((self.path, dict(self.headers)))
                    step = owner.steps.popleft() if owner.steps else whole
                try:
                    step(owner, self)
                except OSError:  # the other side has hung up
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.root}/model.bin"

    @property
    def ranges_asked(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.asked]

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def head(self, handler) -> bytes:
        """Send the head of a good answer and return the bytes that should follow."""
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and self.ranges else 0
        if handler.headers.get("If-Range") not in (None, self.etag):
            start = 0
        if start >= len(self.content):
            handler.send_response(416)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return b""
        handler.send_response(206 if start else 200)
        if start:
            last = len(self.content) - 1
            handler.send_header("Content-Range", f"bytes {start}-{last}/{len(self.content)}")
        handler.send_header("Content-Length", str(len(self.content) - start))
        handler.send_header("ETag", self.etag)
        handler.end_headers()
        return self.content[start:]

    def send(self, handler, data: bytes):
        for begin in range(0, len(data), 1 << 16):
            piece = data[begin : begin + (1 << 16)]
            self.sent += len(piece)  # before: whoever has the bytes finds them counted
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(self.pause)


Step = Callable[[FileServer, http.server.BaseHTTPRequestHandler], None]


@contextmanager
def serving(content: bytes, **options) -> Iterator[FileServer]:
    running = FileServer(content, **options)
    try:
        yield running
    finally:
        running.close()


def whole(server: FileServer, handler) -> None:
    """Answer as asked."""
    server.send(handler, server.head(handler))


def drop_after(count: int) -> Step:
    """Promise everything, send some bytes and hang up."""

    def step(server: FileServer, handler) -> None:
        server.send(handler, server.head(handler)[:count])
        handler.close_connection = True

    return step


def silent_after(count: int, seconds: float) -> Step:
    """Send some bytes, then nothing, with the connection left open."""

    def step(server: FileServer, handler) -> None:
        server.send(handler, server.head(handler)[:count])
        time.sleep(seconds)
        handler.close_connection = True

    return step


def status(code: int, **headers: str) -> Step:
    """Refuse."""

    def step(_: FileServer, handler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return step


def other(content: bytes, *, length: bool = True) -> Step:
    """Send something else, as a login page does; without a length, until the connection ends."""

    def step(_: FileServer, handler) -> None:
        handler.send_response(200)
        if length:
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
        handler.close_connection = True

    return step
