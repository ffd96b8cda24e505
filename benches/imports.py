"""What it costs to start: `python -m benches.imports`. Medians over bare Python, in milliseconds, and the wheel's size."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import _crucible
import hfhub

ROUNDS = 20
COMMANDS = {
    "bare python": ["-c", "pass"],
    "import hfhub": ["-c", "import hfhub"],
    "from hfhub import hf_hub_download": ["-c", "from hfhub import hf_hub_download"],
    "from hfhub import HfApi, snapshot_download": ["-c", "from hfhub import HfApi, snapshot_download"],
    "python -m hfhub --version": ["-m", "hfhub", "--version"],
}
PEERS = {
    "import huggingface_hub": ["-c", "import huggingface_hub"],
    "from huggingface_hub import hf_hub_download": ["-c", "from huggingface_hub import hf_hub_download"],
}


def seconds(python: Path | str, arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Median and least of the wall times of a process, which has to succeed."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([python, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), min(taken)


def show(title: str, python: Path | str, commands: dict[str, list[str]], environment: dict[str, str]) -> None:
    """Prints a table of the commands, each over bare Python."""
    print(f"{title:<44} {'median':>8} {'least':>8} {'over bare':>10}")
    bare = 0.0
    for name, arguments in commands.items():
        median, least = seconds(python, arguments, environment)
        bare = bare or median
        print(f"{name:<44} {median * 1e3:8.1f} {least * 1e3:8.1f} {(median - bare) * 1e3:10.1f}")


def main() -> int:
    """Measures in a new environment without numpy or anything else, then the peer in this one."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "HF_"))}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "bare", symlinks=True)
        packages = folder / "packages"
        packages.mkdir()
        for package in (hfhub, _crucible):
            source = Path(package.__path__[0])
            (packages / source.name).symlink_to(source)
        alone = {**environment, "PYTHONPATH": str(packages), "HF_HOME": str(folder / "home")}
        show("without numpy, ms", folder / "bare" / "bin" / "python", COMMANDS, alone)
    show("the peer, ms", sys.executable, {"bare python": COMMANDS["bare python"], **PEERS}, environment)
    for wheel in sorted(Path("dist").glob("*.whl")):
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
