"""Every role's defaults and argument specification name the same variables, with the same default values."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PYTHON_TYPES = {
    "str": (str,),
    "path": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "list": (list,),
    "dict": (dict,),
    "raw": (object,),
    "jsonarg": (dict, list, str),
    "bytes": (str,),
    "bits": (str,),
}


def problems_of(role: pathlib.Path) -> list[str]:
    """What disagrees in one role; an empty list when nothing does."""
    defaults = read(role / "defaults" / "main.yml")
    if not (role / "meta" / "argument_specs.yml").exists():
        return [f"{role.name}: meta/argument_specs.yml is missing"]
    entry_points = read(role / "meta" / "argument_specs.yml").get("argument_specs", {})
    options = {name: option for entry in entry_points.values() for name, option in (entry.get("options") or {}).items()}
    problems = [f"{name} has a default and no specification" for name in sorted(set(defaults) - set(options))]
    for name, option in sorted(options.items()):
        problems += problems_of_option(name, option, defaults)
    return [f"{role.name}: {problem}" for problem in problems]


def problems_of_option(name: str, option: dict[str, Any], defaults: dict[str, Any]) -> list[str]:
    """What disagrees about one variable. A template is compared by name only: its value is known at run time."""
    if option.get("required"):
        return [f"{name} is required and has a default"] if name in defaults else []
    if name not in defaults:
        return [f"{name} is specified with a default and defaults/main.yml has none"] if "default" in option else []
    value = defaults[name]
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        return []
    problems = []
    if value is not None and not has_type(value, option.get("type", "str")):
        problems.append(f"{name} is specified as {option.get('type', 'str')} and its default is {value!r}")
    if "default" not in option:
        if value not in (None, "", [], {}):
            problems.append(f"{name} has the default {value!r} and the specification does not say so")
    elif option["default"] != value or isinstance(option["default"], bool) != isinstance(value, bool):
        problems.append(f"{name} has the default {value!r} and the specification says {option['default']!r}")
    if isinstance(value, list) and option.get("type") == "list":
        problems += [
            f"{name}: element {element!r} is no {option['elements']}"
            for element in value
            if "elements" in option and not has_type(element, option["elements"])
        ]
    return problems


def has_type(value: object, kind: str) -> bool:
    """Whether a default value has the specified type; true and false are no numbers."""
    if isinstance(value, bool):
        return kind in ("bool", "raw")
    return isinstance(value, PYTHON_TYPES.get(kind, (object,)))


def read(path: pathlib.Path) -> dict[str, Any]:
    """A YAML file's dictionary, empty when there is none."""
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def main() -> int:
    """Check all roles; 0 when they agree."""
    roles = sorted(path for path in (REPOSITORY / "roles").glob("*") if path.is_dir())
    problems = [problem for role in roles for problem in problems_of(role)]
    print("\n".join([*problems, f"{len(roles)} roles, {len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
