"""returning_clients.py PORT HOST CLIENTS REQUESTS OUT: people who come back, each with the cookies they were given.

Every client asks without a cookie first, then REQUESTS - 1 times more with what it has. OUT gets a JSON list, an item for each
client: the Set-Cookie headers of its first answer, what was set later, the versions that answered, its status codes.
"""

from __future__ import annotations

import json
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

PAUSE_SECONDS = 0.01


def ask(port: int, host: str, cookies: dict[str, str]) -> tuple[int, str, list[str]]:
    """(status, version, Set-Cookie headers) of one request on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        kept = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
        connection.request("GET", "/", headers={"Host": host, **kept})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("X-Version", ""), answer.headers.get_all("Set-Cookie") or []
    finally:
        connection.close()


def visit(port: int, host: str, requests: int) -> dict[str, Any]:
    """One client's visits."""
    cookies = {"theme": "dark"}  # of the application: the group's cookie stands behind it
    status, version, first = ask(port, host, cookies)
    cookies.update(one.partition(";")[0].split("=", 1) for one in first)  # type: ignore[arg-type]
    codes, versions, later = [status], [version], []
    for _again in range(requests - 1):
        time.sleep(PAUSE_SECONDS)
        status, version, given = ask(port, host, cookies)
        codes.append(status)
        versions.append(version)
        later += given
    return {"first": first, "later": later, "versions": versions, "codes": sorted(set(codes))}


if __name__ == "__main__":
    to_port, to_host, clients, times = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    Path(sys.argv[5]).write_text(json.dumps([visit(to_port, to_host, times) for _client in range(clients)]))
