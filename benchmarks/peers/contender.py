"""The benchmark's side of a contender: a process of its own that works when it is its turn."""

import json
import os
import platform
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

HERE = Path(__file__).parents[1]


class Contender:
    """One process (`peers.worker`) that does its work once each time it is told to."""

    def __init__(self, name: str, module: str, task: "DataclassInstance", python: str):
        self.name, self.answers = name, list[dict[str, Any]]()
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "0"}
        environment |= {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error"}
        command = [python, "-m", module, json.dumps(asdict(task))]
        self._began = time.perf_counter()
        self._process = subprocess.Popen(
            command, cwd=HERE, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Contender":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def ready(self) -> dict[str, Any]:
        """Wait until the model is loaded; what runs, by package, and the seconds since the process was started."""
        return {**self._answer(), "start_seconds": time.perf_counter() - self._began}

    def turn(self) -> None:
        """One turn; its answer is kept."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        self.answers.append(self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with status {self._process.wait()}; its message stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def processor() -> str:
    """Its name, as the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
