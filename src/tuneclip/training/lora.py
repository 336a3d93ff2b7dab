"""LoRA by PEFT: low-rank additions to q, k and v of every block of both towers, merged away at the end.

CLIP-LoRA (arXiv 2405.18541) found q, k and v of both towers at rank 2, alpha 1, dropout 0.25 and a rate of 2e-4 to hold
on eleven datasets without tuning. SigLIP's pooling head attends too, but by one packed matrix, and stays at rest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tuneclip.settings import TrainingConfig
from tuneclip.training.towers import TEMPERATURE

if TYPE_CHECKING:
    from peft import LoraModel

ADAPTER = "tuneclip"
TARGETS = r".*\.encoder\.layers\.\d+\.self_attn\.(q_proj|k_proj|v_proj)"


def attach(model: Any, config: TrainingConfig) -> "LoraModel":
    """Put additions into `model` in place, float32 and without effect at first; they and the temperature alone move.

    The additions' start follows from torch's generator.
    """
    from peft import LoraConfig, LoraModel

    settings = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,  # type: ignore[arg-type]  # it is only divided by the rank
        lora_dropout=config.lora_dropout,
        target_modules=TARGETS,
    )
    tuner = LoraModel(model, settings, ADAPTER)
    for name, weight in model.named_parameters():
        weight.requires_grad = weight.requires_grad or name in TEMPERATURE
    model.eval()
    return tuner


def merge(tuner: "LoraModel") -> None:
    """Add the additions to the weights that they belong to and take them out: the model is a plain one again."""
    plain: Any = tuner.merge_and_unload()
    plain.requires_grad_(requires_grad=True)


@contextmanager
def without(tuner: "LoraModel") -> Iterator[None]:
    """The base as it was, while the block runs: no additions, no dropout."""
    training = tuner.model.training
    tuner.model.eval()
    try:
        tuner.disable_adapter_layers()
        yield
    finally:
        tuner.enable_adapter_layers()
        tuner.model.train(training)
