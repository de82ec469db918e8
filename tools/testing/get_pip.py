"""Stand in for the script that ansible-test downloads: install what is asked for with the pip inside Python."""

import sys
from importlib.resources import files
from tempfile import TemporaryDirectory


def main() -> int:
    """Run the bundled pip; it installs itself first, as the real script does."""
    wheel = next(path for path in (files("ensurepip") / "_bundled").iterdir() if path.name.startswith("pip-"))
    with TemporaryDirectory() as folder:
        copy = f"{folder}/{wheel.name}"
        with open(copy, "wb") as target:
            target.write(wheel.read_bytes())
        sys.path.insert(0, copy)
        from pip._internal.cli.main import main as pip  # noqa: PLC0415 (it exists only now)

        arguments = [argument for argument in sys.argv[1:] if argument not in {"--no-setuptools", "--no-wheel"}]
        return pip(["install", "--upgrade", "--force-reinstall", *arguments])


if __name__ == "__main__":
    sys.exit(main())
