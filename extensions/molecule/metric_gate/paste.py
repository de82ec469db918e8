"""paste.py DOCUMENT FOLDER: write the playbooks of a document, as they stand, into a folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "documentation"))

from examples import playbooks

if __name__ == "__main__":
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in playbooks(Path(sys.argv[1]).read_text()).items():
        (folder / name).write_text(text)
