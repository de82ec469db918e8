"""Images that a cluster gets only when somebody asks for them, and what the roles that use them must be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from .archive import Files, Image, Layer, folder, program_file, write_archive
from .cache import artifact, key_of
from .gobuild import program, programs
from .guard_image import guard
from .images import ARCHIVE, LAB_REPOSITORY, ON_DEMAND
from .loadtester_image import loadtester
from .paths import LAB
from .progress import step


def flagger() -> Path:
    return _archive("flagger", "/flagger", "10001:10001", wget=True)


def flagger_loadtester() -> Path:
    return loadtester(_reference("flagger-loadtester"))


def argo_rollouts() -> Path:
    return _archive("argo-rollouts", "/bin/rollouts-controller", "999:999")


ARCHIVES: dict[str, Callable[[], Path]] = {
    **ON_DEMAND,
    "argo-rollouts": argo_rollouts,
    "flagger": flagger,
    "flagger-loadtester": flagger_loadtester,
    "guard": guard,
}
"""Name for `lab image` → its archive."""


def role_variables(names: Iterable[str]) -> dict[str, object]:
    """Variables of the roles that install these images; charts and manifests come from the programs' own modules.

    What begins with `previous_` is for upgrades: the charts and manifests of the version before.
    """
    return {variable: value for name in names for variable, value in _variables(name).items()}


def _variables(name: str) -> dict[str, object]:
    if name == "argo-rollouts":
        return {
            "argo_rollouts_manifests": str(programs(name) / "install.yaml"),
            "argo_rollouts_image": _reference(name),
            "previous_argo_rollouts_manifests": str(programs("argo-rollouts-previous") / "install.yaml"),
        }
    if not name.startswith("flagger"):
        return {}
    role = name.replace("-", "_")
    repository, tag = _reference(name).rsplit(":", 1)
    return {
        "flagger_chart_repository": "",
        f"{role}_chart": str(programs(name) / "chart"),
        f"{role}_image_repository": repository,
        f"{role}_image_tag": tag,
        "previous_flagger_chart": str(programs("flagger-previous") / "chart"),
    }


def _reference(name: str) -> str:
    return f"{LAB_REPOSITORY}/{name}:{programs(name).name[-8:]}"


def _archive(name: str, path: str, user: str, wget: bool = False) -> Path:
    """One static program at `path`, started in the folder that it is in; `wget` for charts that probe with it."""
    files: Files = {path: program_file(programs(name) / Path(path).name), "/tmp": folder(0o1777)}
    if wget:
        files = {**files, "/usr/bin/wget": program_file(program("wget"))}
    sources = sorted(entry.source.parent.name for entry in files.values() if entry.source)

    def build(out: Path) -> None:
        with step(f"Image archive: image-{name}", "3 s"):
            config = {"Env": ["PATH=/usr/bin:/bin"], "Entrypoint": [path], "User": user, "WorkingDir": str(Path(path).parent)}
            write_archive(out / ARCHIVE, [Image(_reference(name), [Layer(files)], config)])

    recipes = [LAB / "pdlab" / "optional.py", LAB / "pdlab" / "archive.py"]
    return artifact(f"image-{name}", key_of(*sources, files=recipes), build) / ARCHIVE
