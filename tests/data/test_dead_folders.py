"""Temporary folders of killed processes are removed, those of living ones are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from crucible_datasets.io import clean_store
from crucible_datasets.store import owned_folder

_MAKES = """
import sys
from pathlib import Path
from crucible_datasets.store import owned_folder
folder, lock = owned_folder(Path(sys.argv[1]), sys.argv[2])
(folder / "000000.arrow").write_bytes(b"x" * 5000)
print(folder, flush=True)
sys.stdin.read()
"""


def _process(root: Path, prefix: str) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", _MAKES, str(root), prefix],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_folders_of_the_dead_go_and_others_stay(tmp_path: Path) -> None:
    killed, dead = _process(tmp_path, "tmp-map-")
    living, alive = _process(tmp_path, "tmp-jobs-")
    mine, lock = owned_folder(tmp_path, "tmp-map-")
    nobody = tmp_path / "tmp-map-old"
    nobody.mkdir()
    with killed, living:
        assert clean_store(cache_dir=str(tmp_path)) == 0
        assert dead.is_dir()
        killed.kill()
        killed.wait()
        assert clean_store(cache_dir=str(tmp_path)) == 5000
        assert not dead.exists()
        assert alive.is_dir()
        assert mine.is_dir()
        assert nobody.is_dir()
        living.kill()
    lock.release()
    clean_store(cache_dir=str(tmp_path))
    assert not alive.exists()
    assert not mine.exists()
