from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TORCHVISION = """
import torch

@torch.library.register_fake("torchvision::nms")
def nms(boxes, scores, threshold):
    return boxes
"""
IMPORTS = """
import importlib, sys
from undercard.backends.vendors import operators
try:
    import torchvision
except RuntimeError as exc:
    print("first:", exc)
operators.declare_missing()
import torchvision
operators.declare_missing()
print("then:", torchvision.__name__)
"""


def test_a_torchvision_whose_library_does_not_load_can_be_imported(tmp_path: Path) -> None:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(TORCHVISION)
    # Built for another torch.
    (package / "_C.so").write_bytes(b"\x7fELF")

    child = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{IMPORTS}"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "first: operator torchvision::nms does not exist" in child.stdout, child.stderr
    assert "then: torchvision" in child.stdout, child.stderr
