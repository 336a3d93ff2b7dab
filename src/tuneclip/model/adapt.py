"""What moves in a run: each recipe turns a model and a dataset into towers, batches and validation embeddings."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from tuneclip.data.load import Dataset
from tuneclip.model.batches import Batches, Feed
from tuneclip.model.encode import Encoder
from tuneclip.model.open import Loaded
from tuneclip.model.plan import Plan
from tuneclip.model.preprocess import Preprocessing
from tuneclip.model.validate import Embed


@dataclass(frozen=True)
class Towers:
    """Both towers as functions of a batch's inputs, from where the recipe's moving part begins."""

    pictures: Callable[[torch.Tensor], torch.Tensor]
    """A batch's `picture_inputs`, on the model's device, to (batch, dim) embeddings of any length."""
    texts: Callable[[dict[str, torch.Tensor]], torch.Tensor]
    """A batch's `text_inputs`, on the model's device, to (batch, dim) embeddings of any length."""


@dataclass(frozen=True)
class Adaptation:
    """A model made ready to be trained; what of it moves is what has `requires_grad`."""

    loaded: Loaded
    towers: Towers
    batches: Batches
    embed: Embed
    """Pictures and texts to unit vectors with the weights of now: for validation."""
    finish: Callable[[], None]
    """Leaves `loaded.model` as a plain model of its family that can be saved."""
    anchor: Towers | None = None
    """The base's own towers, at rest, where distillation pulls towards them."""
    penalty: Callable[[], torch.Tensor] | None = None
    """A scalar that is added to the loss."""


def adapt(loaded: Loaded, dataset: Dataset, plan: Plan) -> Adaptation:
    """The recipe of the plan, applied."""
    return RECIPES[plan.config.recipe](loaded, dataset, plan)


def full(loaded: Loaded, dataset: Dataset, plan: Plan) -> Adaptation:
    """Every weight of both towers moves (FLYP, arXiv 2212.00638)."""
    model = loaded.model.to(torch.device(plan.device))
    encoder = Encoder(loaded, plan.device)
    pixels = Normalise(loaded.preprocessing)
    towers = Towers(
        pictures=lambda inputs: model.get_image_features(pixel_values=pixels(inputs)).pooler_output,
        texts=lambda inputs: model.get_text_features(**inputs).pooler_output,
    )
    return Adaptation(
        loaded,
        towers,
        batches=Feed(dataset, dataset.split("train"), loaded, seed=plan.config.seed, augment=plan.config.augment),
        embed=lambda pictures, texts: (encoder.pictures(pictures), encoder.texts(texts)),
        finish=lambda: None,
    )


class Normalise:
    """The checkpoint's own normalisation, on the model's device."""

    def __init__(self, preprocessing: Preprocessing):
        self._preprocessing = preprocessing

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """(batch, height, width, 3) uint8 to (batch, 3, height, width) float32."""
        slope, offset = (torch.from_numpy(values).to(pixels.device) for values in self._preprocessing.slope_and_offset)
        return (pixels * slope - offset).permute(0, 3, 1, 2).contiguous()


RECIPES: dict[str, Callable[[Loaded, Dataset, Plan], Adaptation]] = {"full": full}
