"""The container images of the lab: what Kubernetes itself needs, and what runs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .archive import Files, Image, Layer, data_file, folder, program_file, text_file, write_archive
from .base import c_library, envoy, firewall_tools, root_file_system
from .cache import artifact, key_of
from .gobuild import KUBERNETES_VERSION, program, programs
from .paths import LAB
from .progress import step
from .shell import ask

KUBERNETES_REPOSITORY = "localhost/k8s"
LAB_REPOSITORY = "localhost/lab"
ARCHIVE = "image.tar"

SHOP_VERSIONS: dict[str, dict[str, str]] = {
    "1.0.0": {},
    "1.1.0": {},
    "1.2.0": {},
    "1.3.0-errors": {"ERROR_SHARE": "0.05"},
    "1.4.0-slow": {"SLOW_SHARE": "0.3", "SLOW_MS": "800"},
    "1.5.0-unready": {"NEVER_READY": "true"},
    "1.6.0-broken": {"ERROR_SHARE": "0.5"},
    "1.7.0-crash": {"CRASH_AFTER_SECONDS": "5"},
    "1.8.0-turns": {"TURNED_ERROR_SHARE": "0.1"},
}
"""Tag of localhost/lab/shop → what is wrong with that version."""

_PATH = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NOBODY = "65534:65534"
_ISTIO_PROXY = "1337:1337"


def kubernetes_images() -> Path:
    """Archive of all images that kubeadm starts, under the names it asks for."""
    built, root = programs("kubernetes"), root_file_system()
    sources = (built, programs("etcd"), programs("coredns"), programs("node"), root.parent)

    def images() -> list[Image]:
        references = _kubeadm_references(built / "kubeadm")
        base, libc, tools = _base(root), Layer(c_library(root)), Layer(firewall_tools(root))
        server = {name: Layer({f"/usr/local/bin/{name}": program_file(built / name)}) for name in references if name.startswith("kube-")}
        return [
            *(_image(references[name], [base, layer]) for name, layer in server.items() if name != "kube-proxy"),
            _image(references["kube-proxy"], [base, libc, tools, server["kube-proxy"]]),
            _image(references["etcd"], [base, Layer({"/usr/local/bin/etcd": program_file(program("etcd"))})]),
            _image(references["coredns"], [base, Layer({"/coredns": program_file(program("coredns"))})], Entrypoint=["/coredns"]),
            _image(references["pause"], [base, Layer({"/pause": program_file(programs("node") / "pause")})], Entrypoint=["/pause"]),
        ]

    return _archive("kubernetes-images", sources, images)


def pause_reference() -> str:
    return _kubeadm_references(programs("kubernetes") / "kubeadm")["pause"]


def pilot() -> Path:
    istio, root = programs("istio"), root_file_system()

    def images() -> list[Image]:
        layers = [_base(root), Layer({"/usr/local/bin/pilot-discovery": program_file(istio / "pilot-discovery")})]
        return [_image(f"{LAB_REPOSITORY}/pilot:{istio_tag()}", layers, Entrypoint=["/usr/local/bin/pilot-discovery"], User=_ISTIO_PROXY)]

    return _archive("image-pilot", (istio, root.parent), images)


def proxy() -> Path:
    """Istio's proxy image with Envoy as its authors release it."""
    istio, root, data_plane = programs("istio"), root_file_system(), envoy()

    def images() -> list[Image]:
        own = Layer(
            {
                "/usr/local/bin/pilot-agent": program_file(istio / "pilot-agent"),
                "/usr/local/bin/envoy": program_file(data_plane),
                "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json": data_file(istio / "envoy_bootstrap.json"),
            }
        )
        layers = [_base(root), Layer(c_library(root)), Layer(firewall_tools(root)), own]
        return [_image(f"{LAB_REPOSITORY}/proxyv2:{istio_tag()}", layers, Entrypoint=["/usr/local/bin/pilot-agent"], WorkingDir="/")]

    return _archive("image-proxy", (istio, root.parent, data_plane.parent), images)


def istio_tag() -> str:
    """One tag for both images of Istio; it changes when either does, so that an upgrade restarts them."""
    return key_of(programs("istio").name, envoy().parent.name)[:8]


def prometheus() -> Path:
    built, root = programs("prometheus"), root_file_system()

    def images() -> list[Image]:
        own = Layer({"/bin/prometheus": program_file(built / "prometheus"), "/prometheus": folder(0o777)})
        return [_image(prometheus_reference(), [_base(root), own], Entrypoint=["/bin/prometheus"], User=_NOBODY, WorkingDir="/prometheus")]

    return _archive("image-prometheus", (built, root.parent), images)


def prometheus_reference() -> str:
    return f"{LAB_REPOSITORY}/prometheus:{programs('prometheus').name[-8:]}"


def shop() -> Path:
    """All versions of the shop: one program, and an environment for each."""
    built = programs("shop")

    def images() -> list[Image]:
        layer = Layer({"/shop": program_file(built / "shop")})
        return [
            _image(
                f"{LAB_REPOSITORY}/shop:{version}",
                [layer],
                Entrypoint=["/shop"],
                User=_NOBODY,
                Env=[_PATH, f"VERSION={version}", *_pairs(faults)],
            )
            for version, faults in SHOP_VERSIONS.items()
        ]

    return _archive("image-shop", (built,), images)


def podinfo() -> Path:
    built, root = programs("podinfo"), root_file_system()

    def images() -> list[Image]:
        own = Layer({"/home/app/podinfo": program_file(built / "podinfo")})
        return [
            _image(
                f"{LAB_REPOSITORY}/podinfo:1", [_base(root), own], Entrypoint=["/home/app/podinfo"], User=_NOBODY, WorkingDir="/home/app"
            )
        ]

    return _archive("image-podinfo", (built, root.parent), images)


def alertmanager() -> Path:
    built, root = programs("alertmanager"), root_file_system()

    def images() -> list[Image]:
        own = Layer({"/bin/alertmanager": program_file(built / "alertmanager"), "/alertmanager": folder(0o777)})
        reference = f"{LAB_REPOSITORY}/alertmanager:1"
        return [_image(reference, [_base(root), own], Entrypoint=["/bin/alertmanager"], User=_NOBODY, WorkingDir="/alertmanager")]

    return _archive("image-alertmanager", (built, root.parent), images)


WORKLOADS: dict[str, Callable[[], Path]] = {"pilot": pilot, "proxy": proxy, "prometheus": prometheus, "shop": shop}
"""What every cluster of the lab gets."""

ON_DEMAND: dict[str, Callable[[], Path]] = {"alertmanager": alertmanager, "podinfo": podinfo}
"""What is built and loaded when somebody asks for it (`lab image NAME`)."""


def _archive(name: str, sources: tuple[Path, ...], images: Callable[[], list[Image]]) -> Path:
    recipes = [LAB / "pdlab" / "images.py", LAB / "pdlab" / "archive.py"]

    def build(out: Path) -> None:
        with step(f"Image archive: {name}", "5 s"):
            write_archive(out / ARCHIVE, images())

    return artifact(name, key_of(*(source.name for source in sources), files=recipes), build) / ARCHIVE


def _image(reference: str, layers: list[Layer], **config: object) -> Image:
    return Image(reference, layers, {"Env": [_PATH], **config})


def _base(root: Path) -> Layer:
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    files: Files = {
        "/etc/passwd": text_file("root:x:0:0:root:/:/bin/sh\nistio-proxy:x:1337:1337::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n"),
        "/etc/group": text_file("root:x:0:\nistio-proxy:x:1337:\nnogroup:x:65534:\n"),
        "/etc/nsswitch.conf": text_file("hosts: files dns\n"),
        "/tmp": folder(0o1777),
        certificates: data_file(root / certificates.lstrip("/")),
    }
    return Layer(files)


def _pairs(environment: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def _kubeadm_references(kubeadm: Path) -> dict[str, str]:
    """Image name → the reference that kubeadm of this version asks for."""
    of_ours = ["--kubernetes-version", KUBERNETES_VERSION, "--image-repository", KUBERNETES_REPOSITORY]
    references = ask([kubeadm, "config", "images", "list", *of_ours]).split()
    return {reference.rsplit("/", 1)[1].split(":")[0]: reference for reference in references}
