"""Bounded load on the gateway of a lab cluster, with one record for each answer."""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import cluster
from .errors import LabError
from .gobuild import program
from .results import read_records, record_of, summarize

_MOST_PER_SECOND = 500
_LONGEST_SECONDS = 30 * 60
_UNITS = {"s": 1, "m": 60, "": 1}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser("load", help="send bounded load to a host of the gateway; SIGTERM ends it and keeps the results")
    run.add_argument("--host", action="append", required=True, help="Host header, such as shop.example.com; several get requests in turns")
    run.add_argument("--rate", type=int, default=100, help=f"requests a second, at most {_MOST_PER_SECOND}")
    run.add_argument("--duration", type=_seconds, default="60s", help=f"such as 90s or 5m, at most {_LONGEST_SECONDS // 60}m")
    run.add_argument("--path", default="/")
    run.add_argument("--header", action="append", default=[], metavar="NAME: VALUE")
    run.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl")
    run.add_argument("--cluster", default=cluster.DEFAULT, metavar="NAME")
    run.set_defaults(run=_run)

    summary = commands.add_parser("load-summary", help="counts and times by version of a load's records, as JSON")
    summary.add_argument("file", type=Path)
    summary.add_argument("--bad", metavar="VERSION", help="also say how long and how often this version failed")
    summary.set_defaults(run=lambda options: print(json.dumps(summarize(read_records(options.file), options.bad), indent=1)))


def _seconds(text: str) -> float:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|)", text)
    if not parts:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90s or 5m")
    return float(parts[1]) * _UNITS[parts[2]]


def _run(options: argparse.Namespace) -> None:
    if not 1 <= options.rate <= _MOST_PER_SECOND or not 0 < options.duration <= _LONGEST_SECONDS:
        raise LabError(f"The lab sends 1 to {_MOST_PER_SECOND} requests a second for at most {_LONGEST_SECONDS // 60} minutes.")
    if not options.path.startswith("/"):
        raise LabError("--path begins with a slash.")
    headers = [part for header in options.header for part in ("-header", header)]
    url = f"http://127.0.0.1:{cluster.gateway_port(options.cluster)}{options.path}"
    limits = ["-rate", f"{options.rate}/s", "-duration", f"{options.duration}s", "-timeout", "10s", "-redirects", "-1", "-max-body", "0"]
    vegeta = program("vegeta")
    attack = subprocess.Popen([vegeta, "attack", *limits, *headers], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert attack.stdin is not None
    attack.stdin.write("\n".join(f"GET {url}\nHost: {host}\n" for host in options.host).encode())
    attack.stdin.close()
    encode = subprocess.Popen([vegeta, "encode", "-to", "json"], stdin=attack.stdout, stdout=subprocess.PIPE, start_new_session=True)
    assert encode.stdout is not None and attack.stdout is not None
    attack.stdout.close()
    with _signals_end(attack), options.out.open("w") as out:
        for line in encode.stdout:
            out.write(json.dumps(record_of(json.loads(line))) + "\n")
    if attack.wait() != 0 or encode.wait() != 0:
        raise LabError(f"vegeta ended with {attack.returncode} and {encode.returncode}.")


@contextmanager
def _signals_end(attack: subprocess.Popen[bytes]) -> Iterator[None]:
    """SIGTERM and SIGINT end the attack; its last answers still arrive and are written."""

    def end(*_: object) -> None:
        attack.send_signal(signal.SIGINT)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
