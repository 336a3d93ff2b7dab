"""The child of a rehearsal: runs a few steps of the real loop and prints what they took (`python -m …rehearse`)."""

import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import mean

import numpy as np
import torch

from tuneclip.data.load import Dataset, open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.encode import Encoder
from tuneclip.model.open import load_model
from tuneclip.records import Record
from tuneclip.settings import TrainingConfig
from tuneclip.training import hyperparameters, validate
from tuneclip.training.adapt import Adaptation, adapt
from tuneclip.training.batches import Batch, Batches, Feed
from tuneclip.training.checkpoint import moving
from tuneclip.training.config import config_from
from tuneclip.training.loop import Loop
from tuneclip.training.memory import Meter
from tuneclip.training.order import Indices
from tuneclip.training.plan import Plan, make_plan
from tuneclip.training.precision import timed_precision
from tuneclip.training.rehearsal import KEEPING, Epoch, Outcome, Rehearsal
from tuneclip.training.step import backward


class Watched:
    """Batches that mark, on their way to the loop, when each was asked for and when it was there."""

    def __init__(self, batches: Batches, meter: Meter):
        self._batches, self._meter, self.order = batches, meter, batches.order
        self.first: Batch | None = None

    def epoch(
        self,
        epoch: int,
        batch_size: int,
        *,
        start: int = 0,
        share: tuple[int, int] = (0, 1),
        alike: Indices | None = None,
    ) -> Iterator[Batch]:
        """As the batches that are watched."""
        self._meter.mark("feed")
        for batch in self._batches.epoch(epoch, batch_size, start=start, share=share, alike=alike):
            self.first = self.first or batch
            self._meter.mark("step")
            yield batch


def rehearse(rehearsal: Rehearsal, began: float) -> Outcome:
    """Run the rehearsal in this process, which began at `began` (seconds since the epoch)."""
    dataset, loaded = open_dataset(rehearsal.dataset), load_model(rehearsal.model)
    part = _part(dataset, rehearsal)
    plan = make_plan(_config(rehearsal), part, loaded)
    start = time.time() - began
    with Meter(plan.device) as meter, tempfile.TemporaryDirectory() as folder:
        meter.mark("prepare")
        adaptation = adapt(loaded, part, plan)
        meter.mark("decide")
        plan = dataclasses.replace(plan, precision=timed_precision(adaptation, plan))
        watched = Watched(adaptation.batches, meter)
        validation = validate.Validation(part)

        def scores() -> dict[str, float]:
            meter.mark("validate")
            found = validation.scores(adaptation.embed)
            meter.mark("save")
            return found

        Loop(dataclasses.replace(adaptation, batches=watched), plan, Path(folder), scores).run()
        assert watched.first is not None
        meter.mark("count")
        moved = sum(weight.numel() for weight in moving(loaded.model).values())
        operations = _operations(adaptation, plan, watched.first)
        meter.mark("finish")
        adaptation.finish()
        encoder = Encoder(loaded, plan.device)
        pixels = encoder.pixels(validation.paths)
        for _ in range(2):
            meter.mark("mix")
            validation.ranks(lambda _, texts: encoder.both(pixels, texts))
        meter.mark("end")
    return Outcome(
        batch_size=rehearsal.batch_size,
        micro_batch_size=rehearsal.micro_batch_size,
        start_seconds=start,
        prepare_seconds=meter.seconds("prepare")[0],
        decide_seconds=meter.seconds("decide")[0],
        precision=plan.precision,
        pictures=plan.records,
        epochs=tuple(_epochs(meter, plan.steps_per_epoch)),
        first_validation_seconds=meter.seconds("validate")[0],
        validation_seconds=meter.seconds("validate")[-1],
        validated=len(validation),
        mixture_seconds=min(meter.seconds("mix")),
        save_seconds=mean(meter.seconds("save")),
        waiting_bytes=2 * _bytes(watched.first) / len(watched.first),
        kept_bytes=adaptation.batches.kept_bytes if isinstance(adaptation.batches, Feed) else 0,
        mapped_bytes=_mapped(plan, watched.first),
        peaks=meter.peaks,
        moving=moved,
        operations=operations,
    )


def _config(rehearsal: Rehearsal) -> TrainingConfig:
    """The rehearsal's, for two epochs at most, without trackers and early stops."""
    sizes = {"batch_size": rehearsal.batch_size, "micro_batch_size": rehearsal.micro_batch_size}
    brief = {"num_epochs": min(2, rehearsal.config["num_epochs"]), "early_stopping": False}
    quiet = {"trackers": [], "checkpoint_seconds": 1e9}
    return config_from({**rehearsal.config, **sizes, **brief, **quiet}, Path("the rehearsal"))


def _part(dataset: Dataset, rehearsal: Rehearsal) -> Dataset:
    """As many training pictures as the steps need, and a few to validate, both drawn from the whole dataset."""
    random = np.random.default_rng(0)

    def drawn(records: tuple[Record, ...], count: int) -> tuple[Record, ...]:
        return tuple(records[i] for i in random.permutation(len(records))[:count])

    train = drawn(dataset.split("train"), rehearsal.steps * rehearsal.batch_size)
    held = tuple(record for record in dataset.records if record.split == "validation")
    return dataclasses.replace(dataset, given=train + drawn(held, rehearsal.validation))


def _epochs(meter: Meter, steps: int) -> Iterator[Epoch]:
    seconds = meter.seconds("step")
    for number, feed in enumerate(meter.seconds("feed")):
        yield Epoch(feed, tuple(seconds[number * steps : (number + 1) * steps]))


def _bytes(batch: Batch) -> int:
    tensors = [batch.picture_inputs, *batch.text_inputs.values()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _mapped(plan: Plan, batch: Batch) -> int:
    """What of kept activations on the disk the pictures of this run have in memory, where the recipe reads them."""
    views = min(plan.config.views, plan.config.num_epochs) if plan.config.augment else 1
    inputs = batch.picture_inputs
    return inputs[0].numel() * inputs.element_size() * plan.records * views if plan.config.recipe in KEEPING else 0


def _operations(adaptation: Adaptation, plan: Plan, batch: Batch) -> float:
    """Floating-point operations of a training picture, forwards and backwards, as PyTorch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    few = batch.part(slice(0, 2))
    autocast = hyperparameters.autocast(plan.precision, torch.device(plan.device))
    with FlopCounterMode(display=False) as counter:
        backward(adaptation, few, autocast=autocast)
    return float(counter.get_total_flops()) / len(few)


def _answer(rehearsal: Rehearsal, began: float) -> dict[str, object]:
    try:
        return {"outcome": dataclasses.asdict(rehearse(rehearsal, began))}
    except TuneclipError as error:
        return {
            "error": {
                "what": error.what,
                "where": error.where and str(error.where),
                "expected": error.expected,
                "hint": error.hint,
            }
        }
    except (torch.OutOfMemoryError, MemoryError):
        return {}
    except RuntimeError as error:
        if "memory" in str(error).lower():  # the CPU's and MPS's allocators raise it without a class of its own
            return {}
        raise


def main() -> None:
    """Read a rehearsal from stdin, print its outcome as a line of JSON; when memory ends this process goes first."""
    import psutil

    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    began = psutil.Process().create_time()
    print(json.dumps(_answer(Rehearsal(**json.load(sys.stdin)), began)))


if __name__ == "__main__":
    main()
