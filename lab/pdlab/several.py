"""Several clusters, each a region: their names, the same done in each, and one kubeconfig for all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from .cache import write_atomically
from .cluster import kubectl, recorded
from .errors import LabError
from .shell import ask, stop_children

MOST = 5  # a cluster at rest takes a gigabyte of memory
_AT_ONCE = 2  # one waits for its pods while the other works


def names(first: str, count: int) -> list[str]:
    """first, first-2, first-3, ... Raises LabError for a number that makes no sense."""
    if not 1 <= count <= MOST:
        raise LabError(f"--clusters is {count}; the lab runs 1 to {MOST}.")
    return [first, *(f"{first}-{number}" for number in range(2, count + 1))]


def all_of(clusters: Sequence[str], work: Callable[[str], None]) -> None:
    """Does the work in each cluster, two at a time in their order; the first failure, or our own end, stops the others."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = [pool.submit(work, name) for name in clusters]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_children()
            raise


def contexts_of(words: Sequence[str]) -> dict[str, str]:
    """CONTEXT=CLUSTER as typed → context → cluster. Raises LabError where one is not that, or names no cluster."""
    found = {}
    for word in words:
        context, equals, cluster = word.partition("=")
        if not (context and equals and cluster):
            raise LabError(f"--context is {word!r}; it is CONTEXT=CLUSTER, such as prod-euw1=pd-lab-2.")
        if cluster not in recorded():
            raise LabError(f"--context {word}: there is no cluster {cluster}; there is: {', '.join(recorded()) or 'none'}.")
        found[context] = cluster
    if not found:
        raise LabError("--out needs at least one --context CONTEXT=CLUSTER.")
    return found


def write_kubeconfig(file: Path, contexts: Mapping[str, str]) -> None:
    """One kubeconfig, readable by its owner alone, with a context for each cluster; the first one is current."""
    single = {
        context: json.loads(ask([*kubectl(cluster), "config", "view", "--raw", "-o", "json"])) for context, cluster in contexts.items()
    }
    merged = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(single)),
        "clusters": [{"name": context, "cluster": one["clusters"][0]["cluster"]} for context, one in single.items()],
        "users": [{"name": context, "user": one["users"][0]["user"]} for context, one in single.items()],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}} for context in single],
    }
    write_atomically(file, json.dumps(merged, indent=1))
    file.chmod(0o600)
