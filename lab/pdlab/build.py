"""Builds everything a cluster needs, two at a time: Go leaves one core idle while it downloads and links."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from .base import envoy, root_file_system
from .gobuild import programs
from .images import WORKLOADS, kubernetes_images, shop
from .paths import in_cache

_WORKERS = 2
_TOOLS = {"kubectl": "kubectl", "kind": "kind", "helm": "helm"}


def build_all(own_engine: bool) -> None:
    """Fills the cache; with a stock engine only the tools and the shop are ours."""
    go = ["kubernetes", "istio", "coredns", "prometheus", "kubectl", "helm", "etcd", "kind", "node", "shop"]
    if not own_engine:
        go = ["kubectl", "helm", "kind", "shop"]
    jobs: list[Callable[[], object]] = [partial(programs, name) for name in go]
    if own_engine:
        jobs = [root_file_system, envoy, *jobs]
    _run_all(jobs)
    _run_all([kubernetes_images] if own_engine else [])
    workload_archives(own_engine)
    _link_tools()


def workload_archives(own_engine: bool) -> dict[str, Path]:
    """Name → archive of the images that every cluster gets."""
    makers = WORKLOADS if own_engine else {"shop": shop}
    return {name: make() for name, make in makers.items()}


def tools_folder() -> Path:
    return in_cache("bin", "x").parent


def _link_tools() -> None:
    """Puts kubectl, kind and helm where people and playbooks find them."""
    for module, name in _TOOLS.items():
        link = tools_folder() / name
        target = programs(module) / name
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)


def _run_all(jobs: list[Callable[[], object]]) -> None:
    """Runs the jobs in their order on a few threads; the first failure ends the wait and cancels what has not begun."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        futures = [pool.submit(job) for job in jobs]
        done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        for future in waiting:
            future.cancel()
        for future in done:
            future.result()
