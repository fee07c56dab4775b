"""The committed bundle of the builder is the one that its committed source makes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
SERVED = ROOT / "signals_app" / "segments" / "static" / "segments"
BUNDLE = json.loads((FRONTEND / "bundle.json").read_text())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_was_built_from_this_source() -> None:
    own = [
        *(FRONTEND / "src").iterdir(),
        *(FRONTEND / name for name in ("build.mjs", "package.json", "package-lock.json")),
    ]

    assert {str(path.relative_to(FRONTEND)): sha256(path) for path in own} == BUNDLE["sources"], "run `make frontend`"


@pytest.mark.parametrize("name", sorted(BUNDLE["files"]))
def test_nobody_changed_what_was_built(name: str) -> None:
    assert sha256(SERVED / name) == BUNDLE["files"][name], "run `make frontend`"


def test_it_needs_no_eval_and_names_its_licences() -> None:
    script = (SERVED / "builder.js").read_text()

    assert "eval(" not in script
    assert "new Function" not in script
    assert "://" not in "".join(line for line in script.splitlines() if "sourceMappingURL" in line)
    assert "react-querybuilder 8.24.1 (MIT)" in (SERVED / "builder.licences.txt").read_text()


def test_the_lock_names_no_address_of_a_registry() -> None:
    lock = json.loads((FRONTEND / "package-lock.json").read_text())

    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]
    assert all("integrity" in entry for name, entry in lock["packages"].items() if name)
    declared = json.loads((FRONTEND / "package.json").read_text())
    versions = (declared["dependencies"] | declared["devDependencies"]).values()
    assert all(version[0].isdigit() for version in versions)


@pytest.mark.node
def test_trees_survive_the_builder() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node.js (Debian: apt-get install nodejs)")

    run = subprocess.run([node, "--test", "test"], cwd=FRONTEND, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
