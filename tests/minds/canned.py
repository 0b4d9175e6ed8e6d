"""A server that gives every request the same answer, for tests of what providers say when they do not answer."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def completion(content, *, finish="stop", usage=None):
    """A chat completion, without a word on tokens unless ``usage`` is given."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
    made = {"id": "1", "object": "chat.completion", "created": 1, "model": "x", "choices": [choice]}
    return made if usage is None else {**made, "usage": {**usage, "total_tokens": sum(usage.values())}}


@contextmanager
def canned(body, *, status=200, latency=0.0):
    """Serve; yields the base URL and a list with an entry for each request."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            seen.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            time.sleep(latency)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        server.server_close()
