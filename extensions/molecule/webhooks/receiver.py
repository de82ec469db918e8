"""receiver.py RULES LOG: a receiver of webhooks on 127.0.0.1 in the background; prints its port.

RULES is JSON: path -> list of [status, text], answered in their order, the last one again and again; 200 where there are none.
LOG gets a line of JSON for each request. It ends by a POST to /quit, and by itself after a quarter of an hour.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

from background import stays_behind

LIFETIME_SECONDS = 900.0


class Handler(BaseHTTPRequestHandler):
    """Answers as the rules say."""

    server: Receiver

    def do_POST(self) -> None:
        """One question."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        status, text = self.server.answer(self.path, body, dict(self.headers))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())
        if self.path == "/quit":
            threading.Thread(target=self.server.shutdown).start()

    def log_message(self, *_arguments: Any) -> None:
        """The log is another one."""


class Receiver(ThreadingHTTPServer):
    """The rules and the log."""

    def __init__(self, rules: dict[str, list[tuple[int, str]]], log: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self._rules, self._log = rules, log
        self._lock = threading.Lock()

    def answer(self, path: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
        """The next answer of a path; the question is logged."""
        with self._lock:
            answers = self._rules.get(path) or [(200, "")]
            status, text = answers.pop(0) if len(answers) > 1 else answers[0]
            line = {"at": time.time(), "path": path, "status": status, "body": body, "headers": {k.lower(): v for k, v in headers.items()}}
            with self._log.open("a") as log:
                log.write(json.dumps(line) + "\n")
        return status, text


def main() -> int:
    rules, log = json.loads(sys.argv[1]), Path(sys.argv[2])
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    receiver = Receiver(rules, log)
    print(receiver.server_port, flush=True)
    if not stays_behind():
        return 0
    end = threading.Timer(LIFETIME_SECONDS, receiver.shutdown)
    end.daemon = True
    end.start()
    receiver.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
