"""A trained model's folder: transformers' layout, and the manifest that says where it comes from."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuneclip import __version__
from tuneclip.model.open import Loaded, fingerprint
from tuneclip.project import MODEL_MANIFEST, building, write_json

TRAINING = "training.json"
"""The resolved config: given again to `--config`, with the same data and base, it gives the same model."""
MADE_HERE = {MODEL_MANIFEST, TRAINING, "config.json", "README.md"}
"""What a base's folder may hold that its tuned model does not inherit as it is."""


def publish(target: Path, loaded: Loaded, trained: dict[str, Any], settled: dict[str, Any]) -> None:
    """Write the model beside its place, then rename it; `settled` is what decided the run, `trained` how it went."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    with building(target) as folder:
        for path in loaded.path.iterdir():
            if path.is_file() and path.suffix != ".safetensors" and path.name not in MADE_HERE:
                shutil.copy(path, folder / path.name)
        loaded.model.cpu().save_pretrained(folder)
        manifest = {
            "name": trained["model"],
            "fingerprint": fingerprint(folder),
            "tuneclip": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "lineage": [*loaded.manifest.get("lineage", []), settled["base"]],
            "fine_tuning": loaded.manifest.get("fine_tuning", {}),
            **settled,
            "trained": trained,
        }
        write_json(folder / TRAINING, settled["config"])
        write_json(folder / MODEL_MANIFEST, manifest)
