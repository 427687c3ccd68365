"""A stand-in of CVAT's server: the endpoints that `cvat-cli` calls, with one task of a few frames.

What CVAT's own agent asks about a function and its queue, and what cvat-sdk's datasets ask about a
task, answered as far as they read it. Everything that was posted is in `posted`.
"""

from __future__ import annotations

import io
import json
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

WHEN = "2026-01-01T00:00:00Z"
USER = {
    "url": "http://x/api/users/1",
    "id": 1,
    "username": "ann",
    "first_name": "",
    "last_name": "",
}


class StandIn:
    """The server's memory; `requests` are given to the agent in their order."""

    def __init__(self, frames, labels):
        self.frames, self.labels = frames, labels
        self.functions, self.requests, self.posted = {}, [], []
        self.watched, self.called, self.ended = (threading.Event() for _ in range(3))
        self.address = ""

    def add(self, function):
        """Keeps a function as the server does, with the fields that it fills in."""
        filled = {
            "min_neg_points": -1, "startswith_box": False, "startswith_box_optional": False,
            "supported_shape_types": [], "labels_v2": [],
        }  # fmt: skip
        number = len(self.functions) + 1
        self.functions[number] = filled | function | {"id": number}
        return self.functions[number]

    def ask(self, params):
        """What becomes of a request of which an agent is told that watches the queue."""
        assert self.watched.wait(60)
        self.watched.clear()
        self.ended.clear()
        self.requests.append(params)
        self.called.set()
        assert self.ended.wait(60)
        return self.results()[-1]

    def results(self):
        """What became of each request: what completed it, or the sentence that it failed with."""
        return [fields for path, fields in self.posted if path.endswith(("/complete", "/fail"))]

    def answer(self, method, path, query, fields):
        """(status, JSON or bytes) of a request."""
        parts = path.removeprefix("/api/").strip("/").split("/")
        match method, parts:
            case "GET", ["server", "about"]:
                about = {"name": "stand-in", "description": "x", "version": "2.80.0"}
                return 200, about | {"logo_url": "", "subtitle": ""}
            case "GET", ["users", "self"]:
                return 200, USER
            case "POST", ["functions"]:
                return 201, self.add(fields)
            case "GET", ["functions", number]:
                return 200, self.functions[int(number)]
            case "POST", ["functions", "queues", _, "requests", "acquire"]:
                waits = self.requests and fields["request_category"] == "interactive"
                if not waits:
                    return 200, {"ar_assignment": None}
                number = len(self.results()) + 1
                params = self.requests.pop(0)
                params = params() if callable(params) else params
                return 200, {"ar_assignment": {"ar_id": f"r{number}", "ar_params": params}}
            case "POST", ["functions", "queues", _, "requests", _, _]:
                self.ended.set()
                return 200, {}
            case _, ["tasks", "1", *rest]:
                return self._task(rest, query)
            case "GET", ["labels"]:
                return 200, {"count": 1, "next": None, "previous": None, "results": self.labels}
            case _:
                return 404, {"detail": f"{method} {path}"}

    def _task(self, rest, query):
        match rest:
            case []:
                return 200, self._about_the_task()
            case ["data", "meta"]:
                return 200, self._about_its_data()
            case ["data"] if query["type"] == ["chunk"]:
                return 200, self._chunk()
            case ["data"]:
                return 200, self.frames[int(query["number"][0])]
            case ["annotations"]:
                return 200, {"version": 0, "tags": [], "shapes": [], "tracks": []}
            case _:
                return 404, {"detail": "/".join(rest)}

    def _chunk(self):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as chunk:
            for number, frame in enumerate(self.frames):
                chunk.writestr(f"{number:06}.png", frame)
        return file.getvalue()

    def _about_the_task(self):
        return {
            "id": 1, "url": f"{self.address}/api/tasks/1", "name": "frames", "mode": "annotation",
            "size": len(self.frames), "data_chunk_size": 10, "data_original_chunk_type": "imageset",
            "data_compressed_chunk_type": "imageset", "created_date": WHEN, "updated_date": WHEN,
            "status": "annotation", "owner": USER, "organization": None,
            "dimension": "2d", "media_type": "image", "labels": {"url": "x"},
            "jobs": {"url": "", "count": 1, "completed": 0, "validation": 0},
        }  # fmt: skip

    def _about_its_data(self):
        frames = [
            {"width": 96, "height": 64, "name": f"{number}.png", "related_files": 0}
            for number in range(len(self.frames))
        ]
        return {
            "chunks_updated_date": WHEN, "chunk_size": 10, "size": len(frames),
            "image_quality": 70, "start_frame": 0, "stop_frame": len(frames) - 1,
            "frame_filter": "", "frames": frames, "deleted_frames": [], "included_frames": None,
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path.endswith("/watch"):
            self._tell_of_requests()
        else:
            self._answer("GET", url, {})

    def do_POST(self):
        url = urlsplit(self.path)
        fields = self._fields()
        self.server.state.posted.append((url.path, fields))
        self._answer("POST", url, fields)

    def do_PATCH(self):
        url = urlsplit(self.path)
        fields = self._fields()
        self.server.state.posted.append((url.path, fields))
        self._answer("PATCH", url, fields)

    def _fields(self):
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return json.loads(content) if content else {}

    def _answer(self, method, url, fields):
        status, body = self.server.state.answer(method, url.path, parse_qs(url.query), fields)
        is_json = not isinstance(body, bytes)
        body = json.dumps(body).encode() if is_json else body
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if is_json else "image/png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _tell_of_requests(self):
        state = self.server.state
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"retry: 1000\n\n")
        self.wfile.flush()
        state.watched.set()
        state.called.wait(60)
        state.called.clear()
        event = {"request_category": "interactive"}
        self.wfile.write(f"event: newrequest\ndata: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()
        state.ended.wait(60)


@contextmanager
def stand_in(frames, labels=()):
    """The stand-in, listening."""
    state = StandIn(frames, list(labels))

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads, server.state = True, state
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
