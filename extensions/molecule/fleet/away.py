"""Ways to take a region's API server away, and to give it back."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lab"))

from pdlab.engine import find_engine

PAUSE_SECONDS = 60.0


class Node:
    """The node of a cluster of its own, stopped in the middle of what it does: nothing of the region answers, its pods neither."""

    def __init__(self, cluster: str) -> None:
        self._name = f"{cluster}-control-plane"
        self._environment = {**os.environ, **find_engine().env}

    def shut(self) -> None:
        """From now on requests get no answer."""
        self._docker("pause")

    def open(self) -> None:
        """Everything goes on where it was."""
        self._docker("unpause")

    def _docker(self, verb: str) -> None:
        subprocess.run(["docker", verb, self._name], env=self._environment, check=True, stdout=subprocess.DEVNULL, timeout=PAUSE_SECONDS)


class Door:
    """A way to an API server that others need meanwhile: what a region is behind when only its network is gone."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address, self._open = address, True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def shut(self) -> None:
        """Nobody comes in, and who is in is thrown out."""
        self._open = False
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        """Everybody may come in again."""
        self._ends, self._open = [], True

    def _serve(self) -> None:
        while True:
            client, _address = self._listener.accept()
            if not self._open:
                client.close()
                continue
            server = socket.create_connection(self._address)
            self._ends += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=_pipe, args=pair, daemon=True).start()


def _pipe(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)


def door_of(kubeconfig: Path, through: Path) -> Door:
    """A door to a kubeconfig's API server; through becomes the kubeconfig of who goes through it."""
    text = kubeconfig.read_text()
    server = next(line.split("//")[1].strip() for line in text.splitlines() if "server:" in line)
    host, _colon, port = server.rpartition(":")
    door = Door((host, int(port)))
    through.write_text(text.replace(server, f"127.0.0.1:{door.port}"))
    return door
