"""Test vectors that others wrote. They lie beside the checkout, are read from there, and never copied into it."""

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "vectors"


def read_vectors(name: str) -> Any:  # noqa: ANN401 - JSON of many forms
    """Return a JSON file of the folder; skips the module that asks, naming the file, where there is none."""
    file = FOLDER / name
    if not file.exists():
        pytest.skip(f"test vectors are not here: {name}", allow_module_level=True)
    return json.loads(file.read_bytes())


def vector_files(pattern: str) -> list[Path]:
    """Return the files that match; skips the module that asks, naming the pattern, where there are none."""
    files = sorted(FOLDER.glob(pattern))
    if not files:
        pytest.skip(f"test vectors are not here: {pattern}", allow_module_level=True)
    return files
