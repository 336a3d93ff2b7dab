"""The model card of an export: what the model is, how it was made, what that brought, how to use it."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip.model.open import HUB_ID, Loaded
from tuneclip.model.proof import in_words
from tuneclip.model.usage import USAGE
from tuneclip.project import METRICS, Project, checked_name, write_text

if TYPE_CHECKING:
    from tuneclip.model.export import Exported

CARD = "README.md"
LIBRARIES = {"hf": "transformers", "sentence-transformers": "sentence-transformers", "onnx": "onnx"}
TASKS = {"sentence-transformers": "sentence-similarity"}
METRIC = re.compile(r"validation_((?:t2i|i2t)_.+|mean_recall)")
RECIPES = {
    "full": "all weights",
    "lora": "low-rank additions to the attention of both towers, merged",
    "blocks": "the last blocks of both towers",
    "head": "the two projections",
}


def write_card(folder: Path, loaded: Loaded, result: "Exported", project: Project) -> None:
    """Write `README.md`; all that it says is measured or read from the model's own files."""
    parts: list[Iterator[str]] = [_head(loaded, result), _making(loaded), _gain(loaded, project)]
    parts += [_proof(result), _use(loaded, result), _base_card(loaded)]
    write_text(folder / CARD, "\n".join(line for part in parts for line in part) + "\n")


def _head(loaded: Loaded, result: "Exported") -> Iterator[str]:
    from huggingface_hub import ModelCardData

    base, task = _base(loaded), TASKS.get(result.format, "zero-shot-image-classification")
    tags = ["clip", "image-text-retrieval", "tuneclip"]
    library = LIBRARIES[result.format]
    known = _own_card(loaded)[0]
    licences = {key: value for key, value in known.items() if key.startswith("license") or key == "language"}
    hub = base if HUB_ID.fullmatch(base) and not Path(base).exists() else None
    data = ModelCardData(library_name=library, pipeline_tag=task, tags=tags, base_model=hub, **licences)
    config = loaded.model.config
    side = config.vision_config.image_size
    yield from ("---", data.to_yaml().strip(), "---", f"# {_name(loaded)}", "")
    tuned = f"{base}, fine-tuned on pictures with captions" if loaded.manifest.get("trained") else base
    yield (
        f"A model of the family {config.model_type} that puts pictures and texts into one space of "
        f"{loaded.dimension} dimensions: {tuned}."
    )
    yield from ("", f"Pictures: {side} × {side} pixels. Texts: up to {loaded.context} tokens, longer ones are cut.", "")


def _making(loaded: Loaded) -> Iterator[str]:
    manifest = loaded.manifest
    if not manifest.get("trained"):
        return
    config, trained = manifest["config"], manifest["trained"]
    recipe = str(manifest.get("recipe", config.get("recipe")))
    lineage = " → ".join(f"{one['name']} (`{one['fingerprint']}`)" for one in manifest.get("lineage", []))
    yield from ("## How it was made", "", "| | |", "|---|---|")
    yield f"| base | {lineage} |"
    yield f"| data | {manifest['dataset']['name']} (`{manifest['dataset']['fingerprint']}`), its training split |"
    yield f"| recipe | `{recipe}`: {RECIPES.get(recipe, recipe)}, by the pretraining objective |"
    yield f"| epochs | {trained['epochs']}, the best by validation recall kept: {trained['best_epoch']} |"
    mixed = trained.get("interpolation")
    if mixed:
        yield f"| mixture | {mixed['alpha']:.1f} of the tuned weights, the rest the base's (WiSE-FT) |"
    yield f"| this model | `{manifest['fingerprint']}`, tuneclip {manifest['tuneclip']}, {manifest['created']} |"
    yield from ("", "The licences of the base and of the data hold for this model.")
    chosen = {key: value for key, value in config.items() if value not in (None, [], "")}
    yield from ("", "The whole config:", "", "```json", json.dumps(chosen, indent=2), "```", "")


def _gain(loaded: Loaded, project: Project) -> Iterator[str]:
    """Vanilla against tuned on the validation split."""
    trained = loaded.manifest.get("trained")
    if not trained:
        return
    vanilla = _vanilla(loaded, project)
    yield from (
        "## What that brought",
        "",
        "On the validation split, which also chose the epoch; 95 % intervals of the tuned model:",
        "",
        "| metric | base | tuned | interval | n |",
        "|---|---:|---:|---|---:|",
    )
    for score in trained["scores"]:
        before = f"{vanilla[score['metric']]:.1%}" if score["metric"] in vanilla else "not kept"
        interval = f"{score['low']:.1%} to {score['high']:.1%}"
        yield f"| {score['metric']} | {before} | {score['value']:.1%} | {interval} | {score['n']} |"
    yield ""
    for finding in trained["findings"]:
        yield f"- {finding['code']}: {finding['reason']}"
    if trained["findings"]:
        yield ""


def _vanilla(loaded: Loaded, project: Project) -> dict[str, float]:
    """The base's figures on the validation split as the run noted them before its first epoch; {} where it is gone."""
    try:
        lines = (project.run(checked_name(loaded.manifest["name"])) / METRICS).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
    except (OSError, ValueError):
        return {}
    first: dict[str, float] = next((row for row in rows if row.get("kind") == "epoch" and row.get("epoch") == 0), {})
    return {match[1]: value for key, value in first.items() if (match := METRIC.fullmatch(key))}


def _proof(result: "Exported") -> Iterator[str]:
    yield from ("## The same vectors", "")
    yield (
        f"{result.library} opened these files and gave the vectors of the model as it was trained, in torch and "
        f"float32, on {result.compared_on}:"
    )
    yield from ("", "| | inputs | smallest cosine | mean cosine |", "|---|---:|---:|---:|")
    for name, found in (("pictures", result.pictures), ("texts", result.texts)):
        yield f"| {name} | {found.n} | {found.cosine_min:.6f} | {found.cosine_mean:.6f} |"
    yield ""
    if result.note:
        yield from (f"{result.note[0].upper()}{result.note[1:]}.", "")
    if result.int8:
        yield from (f"The int8 graphs against the float32 ones: {in_words(result.int8)}.", "")


def _use(loaded: Loaded, result: "Exported") -> Iterator[str]:
    write: Callable[..., str] = USAGE[result.format]
    yield from ("## Use", "", "In this folder, as it stands:", "", "```python", write(loaded).strip(), "```", "")


def _base_card(loaded: Loaded) -> Iterator[str]:
    """Of a model that was not tuned here, what its own card says."""
    text = _own_card(loaded)[1]
    if text and not loaded.manifest.get("trained"):
        yield from ("## The model's own card", "", re.sub(r"^#", "##", text.strip(), flags=re.MULTILINE))


def _own_card(loaded: Loaded) -> tuple[dict[str, Any], str]:
    """The head and the text of the card in the model's folder; empty where it has none that can be read."""
    from huggingface_hub import ModelCard

    try:
        card = ModelCard.load(loaded.path / CARD, ignore_metadata_errors=True)
    except (OSError, ValueError):
        return {}, ""
    return card.data.to_dict(), card.text


def _name(loaded: Loaded) -> str:
    return str(loaded.manifest.get("name") or Path(loaded.name).name)


def _base(loaded: Loaded) -> str:
    """The name of what was fine-tuned; of a model that was not, its own."""
    return str((loaded.manifest.get("base") or {}).get("name") or loaded.name)
