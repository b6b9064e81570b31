"""A package index on this machine: serves a folder of `<project>.json` answers, and their files under files/."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serving(folder):
    """Yield the index's address; `/simple/<project>/` answers as PEP 691 and 700 want."""

    class Handler(SimpleHTTPRequestHandler):
        def guess_type(self, path):
            return "application/vnd.pypi.simple.v1+json" if path.endswith(".json") else "application/octet-stream"

        def translate_path(self, path):
            _, _, project, *rest = path.split("/")
            return str(folder / ("/".join(rest) if any(rest) else f"{project}.json"))

        def log_message(self, *_):
            """Tests are quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()
            thread.join()
