"""Where things are: the checkout that is read, the cache that is written."""

from __future__ import annotations

import os
from pathlib import Path

LAB = Path(__file__).resolve().parent.parent
CHECKOUT = LAB.parent


def cache_root() -> Path:
    """Folder shared by all checkouts: `PD_CACHE`, else the user's cache folder."""
    if "PD_CACHE" in os.environ:
        return Path(os.environ["PD_CACHE"]).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).resolve() / "progressive-delivery"


def in_cache(*parts: str) -> Path:
    """A path inside the cache whose parent folder exists."""
    path = cache_root().joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def cluster_folder(name: str) -> Path:
    """Folder of what the lab knows about one cluster."""
    return in_cache("clusters", name, "x").parent


def kubeconfig(name: str) -> Path:
    return cluster_folder(name) / "kubeconfig"
