"""Files and functions stay small enough to read in one sitting."""

from __future__ import annotations

import ast
import pathlib
import subprocess
import sys
from collections.abc import Iterator

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60


def python_files() -> Iterator[pathlib.Path]:
    """Python files that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (REPOSITORY / name).is_file():
            yield REPOSITORY / name


def problems_of(path: pathlib.Path) -> Iterator[str]:
    """What is too long in one file. A docstring does not count: the documentation of a module is one."""
    source = path.read_text()
    tree = ast.parse(source)
    name = path.relative_to(REPOSITORY)
    documentation = 0
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str):
            documentation += (statement.end_lineno or statement.lineno) - statement.lineno
    lines = len(source.splitlines()) - documentation
    if lines > MAX_FILE_LINES:
        yield f"{name}: {lines} lines of at most {MAX_FILE_LINES}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines of at most {MAX_FUNCTION_LINES}"


def main() -> int:
    """Check every Python file; 0 when all are small enough."""
    files = list(python_files())
    problems = [problem for path in files for problem in problems_of(path)]
    print("\n".join([*problems, f"{len(files)} files, {len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
