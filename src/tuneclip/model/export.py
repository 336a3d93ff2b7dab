"""The verb `export`: a model in another library's layout, opened by that library and compared before it counts."""

import logging
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip.errors import TuneclipError
from tuneclip.model import hub
from tuneclip.model.card import write_card
from tuneclip.model.foreign import READERS, read_int8, read_onnx
from tuneclip.model.layouts import LAYOUTS
from tuneclip.model.open import Loaded, fingerprint, load_model, locate
from tuneclip.model.parity import Parity
from tuneclip.model.proof import Agreement, Examples, Proof, compare_less_exact, examples_for, in_words, prove
from tuneclip.model.ready import EXACT
from tuneclip.project import MODEL_MANIFEST, Project, building, write_json
from tuneclip.settings import Export

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")
ADAPTER = "adapter_config.json"
LORA = (".lora_", ".base_layer.")
"""Parts of the names of weights that PEFT adds, or moves aside, while additions are not merged."""
ROOM = {"onnx": 2.5}
"""Room on the disk that a layout needs while it is written, in float32 models; one and a tenth for the others."""


@dataclass(frozen=True)
class Exported:
    """What `export` did; cosines are between the export's vectors and those of the model in torch, float32."""

    model: str
    path: str
    format: str
    cosine_min: float
    cosine_mean: float
    library: str
    """What opened the export for the comparison."""
    note: str
    compared_on: str
    pictures: Agreement
    texts: Agreement
    int8: Parity | None = None
    """Of `onnx`: int8 graphs against the float32 ones."""
    pushed: str | None = None
    """Where it was uploaded to."""

    def show(self, console: "Console") -> None:
        """A few lines for people."""
        console.print(f"{self.model} as {self.format}: cosine at least {self.cosine_min:.6f}", soft_wrap=True)
        inputs = f"{self.pictures.n} pictures and {self.texts.n} texts ({self.compared_on})"
        console.print(f"  mean {self.cosine_mean:.6f}, on {inputs}, opened by {self.library}", soft_wrap=True)
        if self.note:
            console.print(f"  {self.note}", soft_wrap=True)
        if self.int8:
            console.print(f"  int8: {in_words(self.int8)}", soft_wrap=True)
        console.print(f"export: {self.path}", soft_wrap=True)
        if self.pushed:
            console.print(f"uploaded: {self.pushed}", soft_wrap=True)


def export(options: Export, project: Project) -> Exported:
    """Write the model `options.model` in the layout `options.format` into the new folder `options.to`.

    The folder appears only when the library that the layout is for (see `foreign`) gives the model's vectors from it,
    cosine 0.9999 or more for every picture and text. Raises TuneclipError otherwise, for bad input, and where there is
    no room; nothing is left behind then.
    """
    target, token = _free(options.to), hub.demand(options.push)
    source = locate(options.model, project)
    refuse_unmerged(source)
    loaded = load_model(options.model, project)
    _demand_room(loaded, target, options.format)
    examples = examples_for(loaded, project)
    with building(target) as folder:
        _write(loaded, folder, options.format)
        proof = prove(loaded, READERS[options.format](folder, loaded), examples)
        if not proof.holds:
            raise TuneclipError(
                f"the export does not give the model's vectors: cosine {proof.cosine_min:.5f} at the least, pictures "
                f"{proof.pictures.cosine_min:.5f}, texts {proof.texts.cosine_min:.5f}, opened by {proof.library}",
                expected=f"{EXACT} or more",
                hint="nothing was written; tuneclip doctor shows the versions for a report",
            )
        int8 = _int8(folder, loaded, examples) if options.format == "onnx" else None
        result = _result(options, target, proof, int8)
        _sign(folder, loaded, result)
        write_card(folder, loaded, result, project)
    if options.push and token:
        return _pushed(result, target, options.push, token)
    return result


def refuse_unmerged(folder: Path) -> None:
    """Raise TuneclipError for a model with LoRA additions that are not merged: other libraries would leave them out."""
    from safetensors import SafetensorError, safe_open

    hint = "merge them with PEFT's merge_and_unload() and save_pretrained(), or train with --recipe lora, which merges"
    if (folder / ADAPTER).is_file():
        raise TuneclipError("LoRA additions are not merged into the model", where=folder / ADAPTER, hint=hint)
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, "numpy") as weights:
                name = next((key for key in weights.keys() if any(part in key for part in LORA)), None)  # noqa: SIM118
        except SafetensorError as error:
            raise TuneclipError(f"the weights cannot be read: {error}", where=path) from error
        if name:
            raise TuneclipError(f"LoRA additions are not merged into the model: {name}", where=path, hint=hint)


def _free(path: Path) -> Path:
    """The absolute path of a folder that is not there, or is empty."""
    target = path.expanduser().absolute()
    if target.is_dir() and any(target.iterdir()):
        raise TuneclipError("the folder is not empty", where=target, hint="choose a new one with --to")
    if target.exists() and not target.is_dir():
        raise TuneclipError("there is a file of that name", where=target, hint="choose a new folder with --to")
    return target


def _demand_room(loaded: Loaded, target: Path, layout: str) -> None:
    needed = int(sum(weight.numel() for weight in loaded.model.parameters()) * 4 * ROOM.get(layout, 1.1))
    there = next(folder for folder in target.parents if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise TuneclipError(
            f"the disk has {free / 2**20:,.0f} MB left, the export needs {needed / 2**20:,.0f} MB",
            where=there,
            hint="free some space, or choose another place with --to",
        )


def _write(loaded: Loaded, folder: Path, layout: str) -> None:
    """Write the layout; errors of the writing libraries that are the disk's come out as TuneclipError."""
    from safetensors import SafetensorError
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    logger.info("writing %s as %s", loaded.name, layout)
    try:
        LAYOUTS[layout](loaded, folder)
    except SafetensorError as error:
        raise TuneclipError(f"the weights cannot be written: {error}", where=folder.parent) from error


def _int8(folder: Path, loaded: Loaded, examples: Examples) -> Parity:
    return compare_less_exact(read_onnx(folder, loaded), read_int8(folder, loaded), examples)


def _result(options: Export, target: Path, proof: Proof, int8: Parity | None) -> Exported:
    return Exported(
        options.model,
        str(target),
        options.format,
        proof.cosine_min,
        proof.cosine_mean,
        proof.library,
        proof.note,
        proof.origin,
        proof.pictures,
        proof.texts,
        int8,
    )


def _sign(folder: Path, loaded: Loaded, result: Exported) -> None:
    """Write the model's manifest, less this computer's paths, and what it was exported from."""
    trained = {key: value for key, value in loaded.manifest.get("trained", {}).items() if key != "path"}
    figures: dict[str, Any] = {key: value for key, value in asdict(result).items() if key not in ("path", "pushed")}
    known = {key: value for key, value in loaded.manifest.items() if key not in ("trained", "fingerprint", "exported")}
    known |= {"trained": trained} if trained else {}
    write_json(folder / MODEL_MANIFEST, known | {"exported": {"fingerprint": fingerprint(loaded.path), **figures}})


def _pushed(result: Exported, target: Path, repository: str, token: str) -> Exported:
    return replace(result, pushed=hub.push(target, repository, token))
