"""A folder that this process serves on 127.0.0.1."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def serve(folder: Path) -> ThreadingHTTPServer:
    """Serve a folder, which need not exist yet, until the server is shut down."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def address_of(server: ThreadingHTTPServer) -> str:
    """Return the URL of a server."""
    return f'http://127.0.0.1:{server.server_port}'
