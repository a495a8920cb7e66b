"""A local HTTP server with prepared answers, one per request."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def completion(text):
    """The body of a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    return json.dumps({"object": "chat.completion", "choices": [choice]}).encode()


class Served:
    """One answer per request, the last one repeated: a body, (status, body, headers), or a function
    of the handler, which has the `body` of the request, that writes the response.

    Attributes:
        requests: path, headers and body of each request, parsed if the body is JSON.
        connections: addresses of the clients.
    """

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.connections = set()
        self.stopping = threading.Event()

    def __enter__(self):
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.do_POST()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                is_form = self.headers.get_content_maintype() == "multipart"
                parsed = body if is_form else json.loads(body or b"{}")
                served.requests.append((self.path, dict(self.headers), parsed))
                served.connections.add(self.client_address)
                last = len(served.answers) == 1
                answer = served.answers[0] if last else served.answers.pop(0)
                self.body = body
                if callable(answer):
                    answer(self, served.stopping)
                    return
                status, body, headers = answer if isinstance(answer, tuple) else (200, answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        return self

    def __exit__(self, *error):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()


def late(seconds, body):
    """Answers after a delay."""

    def answer(handler, stopping):
        stopping.wait(seconds)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang(handler, stopping):
    """Never answers."""
    stopping.wait(60)
    handler.close_connection = True


def drip_body(handler, stopping):
    """Sends the body endlessly, one byte at a time."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    _drip(handler, stopping)


def drip_head(handler, stopping):
    """Sends a header that never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    _drip(handler, stopping)


def endless(handler, stopping):
    """Sends an endless body as fast as the client reads."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while not stopping.is_set():
            handler.wfile.write(b" " * 65536)
    except OSError:
        pass
    handler.close_connection = True


def hang_up(handler, stopping):
    """Closes the connection without an answer."""
    handler.close_connection = True


def _drip(handler, stopping):
    begun = time.monotonic()
    try:
        while not stopping.wait(0.05) and time.monotonic() - begun < 60:
            handler.wfile.write(b"x")
            handler.wfile.flush()
    except OSError:
        pass
    handler.close_connection = True
