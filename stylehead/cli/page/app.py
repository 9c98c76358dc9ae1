"""Serving the page: on this machine alone, until it is interrupted."""

from __future__ import annotations

import logging
import os
import socket
import webbrowser
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stylehead.batch.events import Work
from stylehead.cli.page.desk import Desk
from stylehead.cli.page.guard import App, Guard
from stylehead.errors import ConfigError, DeviceError
from stylehead.files.locks import temporary_folder

HOST = "127.0.0.1"
ENDS_IN = 2  # seconds that open connections have when the page ends
LIMIT = 1 << 20  # bytes: the unit of the limit of uploads
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_MCP_SERVER": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""Gradio's settings, read when it is imported: nothing is sent, nothing remembered."""


def serve(
    work: Work,
    *,
    port: int,
    most: int,
    page: bool,
    opened: Callable[[str], object] = webbrowser.open,
    say: Callable[[str], object],
) -> None:
    """Serve the page, or its interface alone, until the process is interrupted.

    port: 0 takes a free one. most: megabytes of one upload. `work` does a task in a process of its
    own. Raises ConfigError for a port that is taken, DeviceError without the extra.
    """
    _check_extra()
    what = "The page" if page else "The interface"
    with _listening(port) as listener:
        say(f"{what} is being set up, which takes some seconds.")
        _serve_at(listener, what, work, most=most, page=page, opened=opened, say=say)


def _serve_at(
    listener: socket.socket,
    what: str,
    work: Work,
    *,
    most: int,
    page: bool,
    opened: Callable[[str], object],
    say: Callable[[str], object],
) -> None:
    uvicorn = _uvicorn()
    with built(work, most=most, page=page) as app:
        address = f"http://{HOST}:{listener.getsockname()[1]}"
        settings = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=ENDS_IN,
        )
        say(f"{what} is at {address}; Ctrl-C ends it.")
        opened(address)
        uvicorn.Server(settings).run(sockets=[listener])


@contextmanager
def built(work: Work, *, most: int, page: bool = True) -> Generator[App]:
    """Yield the application; all it keeps is in a temporary folder that goes with it."""
    with temporary_folder("page") as folder:
        uploads, results = folder / "uploads", folder / "results"
        for one in (uploads, results):
            one.mkdir()
        os.environ.update(QUIET, GRADIO_TEMP_DIR=str(uploads))
        desk = Desk(results, work)
        try:
            yield Guard(_mounted(desk, uploads, results, most, page), most=most * LIMIT)
        finally:
            desk.close()


def _mounted(desk: Desk, uploads: Path, results: Path, most: int, page: bool) -> App:
    """Return Gradio's application of the page."""
    import gradio as gr
    from fastapi import FastAPI

    from stylehead.cli.page.api import offer
    from stylehead.cli.page.layout import alone, lay_out, sheet
    from stylehead.cli.page.request import Front

    logging.getLogger("httpx").setLevel(logging.WARNING)
    gr.set_static_paths([results])  # served from there, not copied
    front = Front(desk, uploads, results)
    blocks = lay_out(front, offer) if page else alone(front, offer)
    blocks.queue(default_concurrency_limit=None, max_size=200)
    app = FastAPI(openapi_url=None)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=HOST,
        footer_links=["api"],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        max_file_size=most * LIMIT,
        theme=_theme(),
        css=sheet() if page else None,
    )
    return app


PARTS, MODES = ("title", "label"), ("", "_dark")
"""Of a block, which say what it is, and of the page."""


def _theme() -> Any:
    """Return colours, and the system's own fonts: others would be fetched."""
    from gradio.themes import Soft

    return Soft(
        primary_hue="orange",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        body_background_fill="*neutral_100",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        **{f"block_{part}_background_fill{mode}": "none" for part in PARTS for mode in MODES},
        **{
            f"block_{part}_text_color{mode}": "*body_text_color" for part in PARTS for mode in MODES
        },
        block_title_padding="0",
        block_label_shadow="none",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
    )


@contextmanager
def _listening(port: int) -> Generator[socket.socket]:
    listener = socket.socket()
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()  # a browser that is faster than the page waits
        except OSError as error:
            raise ConfigError(
                f"Port {port} cannot be used ({error.strerror}).",
                remedy="Give another --port; 0 takes a free one.",
            ) from error
        yield listener
    finally:
        listener.close()


def _missing() -> DeviceError:
    return DeviceError(
        "The page needs Gradio, which is not installed.",
        remedy="In the folder of stylehead's repository run pip install -c constraints.txt '.[ui]'",
    )


def _check_extra() -> None:
    """Raise DeviceError where Gradio is not installed; to import it takes seconds."""
    try:
        found = find_spec("gradio")
    except ValueError:  # it was put away
        found = None
    if found is None:
        raise _missing()


def _uvicorn() -> Any:
    os.environ.update(QUIET)
    try:
        import_module("gradio")
        return import_module("uvicorn")
    except ImportError as error:
        raise _missing() from error
