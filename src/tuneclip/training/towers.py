"""A model's towers as functions: whole, or cut in two where that begins which a recipe moves."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tuneclip.errors import TuneclipError
from tuneclip.model.preprocess import Preprocessing

ACTIVATIONS = "activations"
"""What the resting half said of a batch's texts, among the batch's `text_inputs`."""
TEMPERATURE = ("logit_scale", "logit_bias")
"""What scales the cosines; it moves in every recipe, as in pretraining."""


@dataclass(frozen=True)
class Towers:
    """Both towers as functions of a batch's inputs, from where the recipe's moving part begins."""

    pictures: Callable[[torch.Tensor], torch.Tensor]
    """A batch's `picture_inputs`, on the model's device, to (batch, dim) embeddings of any length."""
    texts: Callable[[dict[str, torch.Tensor]], torch.Tensor]
    """A batch's `text_inputs`, on the model's device, to (batch, dim) embeddings of any length."""


@dataclass(frozen=True)
class Halves:
    """Towers cut in two: `moving` of what `resting` says is what the whole towers say."""

    resting: Towers
    """Pixels and tokens to activations: (batch, tokens, width), or (batch, width) after pooling."""
    moving: Towers
    """Kept activations, as `resting` gave them (texts under `ACTIVATIONS`), to embeddings."""
    parameters: tuple[nn.Parameter, ...]
    """What moves, temperature included."""
    at_rest: Callable[[], Towers]
    """A copy of the moving half as it is now, which never moves."""
    pooled: bool
    """Whether activations are one vector for a text, so that its tokens are no longer needed."""


class Normalise:
    """The checkpoint's own normalisation, on the model's device."""

    def __init__(self, preprocessing: Preprocessing):
        self._preprocessing = preprocessing

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """(batch, height, width, 3) uint8 to (batch, 3, height, width) float32."""
        slope, offset = (torch.from_numpy(values).to(pixels.device) for values in self._preprocessing.slope_and_offset)
        return (pixels * slope - offset).permute(0, 3, 1, 2).contiguous()


def whole(model: Any, preprocessing: Preprocessing) -> Towers:
    """Both towers from uint8 pixels and tokens on."""
    pixels = Normalise(preprocessing)
    return Towers(
        pictures=lambda inputs: model.get_image_features(pixel_values=pixels(inputs)).pooler_output,
        texts=lambda inputs: model.get_text_features(**inputs).pooler_output,
    )


def cut_blocks(model: Any, preprocessing: Preprocessing, blocks: int) -> Halves:
    """Cut before the last `blocks` blocks of each tower; a tower that has fewer moves all of them.

    Both halves are the model's own code on its own weights: copies of the model that share its modules, in which those
    of the other half are passed over. Raises TuneclipError when neither tower has so many blocks.
    """
    depths = [len(tower.encoder.layers) for tower in (model.vision_model, model.text_model)]
    if blocks > max(depths):
        raise TuneclipError(f"blocks is {blocks}", expected=f"at most {max(depths)}, as the model has")
    first, last = _parts(model.vision_model, blocks), _parts(model.text_model, blocks)
    (resting_pictures, moving_pictures), (resting_texts, moving_texts) = first, last
    pixels = Normalise(preprocessing)
    tail = _with(model, vision_model=moving_pictures, text_model=moving_texts)
    return Halves(
        resting=Towers(
            pictures=lambda inputs: resting_pictures(pixel_values=pixels(inputs)).last_hidden_state,
            texts=lambda inputs: resting_texts(**inputs).last_hidden_state,
        ),
        moving=_after_blocks(tail),
        parameters=tuple(tail.parameters()),
        at_rest=lambda: _after_blocks(_resting_copy(tail)),
        pooled=False,
    )


def cut_head(model: Any, preprocessing: Preprocessing) -> Halves:
    """Cut before the last linear map of each tower: CLIP's two projections.

    SigLIP has no projection: the second linear map of its pooling head's MLP and the linear head of its text tower are
    the last ones there.
    """
    head = _SIGLIP_HEAD if model.config.model_type == "siglip" else _CLIP_HEAD
    resting_pictures, resting_texts = head.resting(model)
    tail = head.tail(model)
    pixels = Normalise(preprocessing)
    return Halves(
        resting=Towers(
            pictures=lambda inputs: resting_pictures(pixel_values=pixels(inputs)).pooler_output,
            texts=lambda inputs: resting_texts(**inputs).pooler_output,
        ),
        moving=_after_pooling(tail),
        parameters=(*head.moving(tail), *_temperature(model)),
        at_rest=lambda: _after_pooling(_resting_copy(tail)),
        pooled=True,
    )


@dataclass(frozen=True)
class _Head:
    """Where a family's last linear maps are."""

    resting: Callable[[Any], tuple[Any, Any]]
    """The model to its towers without them; their `pooler_output` is what comes before."""
    tail: Callable[[Any], nn.ModuleDict]
    """The model to what comes after, as modules `pictures` and `texts`."""
    moving: Callable[[nn.ModuleDict], Iterable[nn.Parameter]]


class _AfterAttention(nn.Module):
    """SigLIP's pooling head after its attention, on (batch, width)."""

    def __init__(self, head: Any):
        super().__init__()
        self.layernorm, self.mlp = head.layernorm, head.mlp

    def forward(self, attended: torch.Tensor) -> torch.Tensor:
        embedded: torch.Tensor = attended + self.mlp(self.layernorm(attended))
        return embedded


class _Nothing(nn.Module):
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(hidden)


_CLIP_HEAD = _Head(
    resting=lambda model: (model.vision_model, model.text_model),
    tail=lambda model: nn.ModuleDict({"pictures": model.visual_projection, "texts": model.text_projection}),
    moving=lambda tail: tail.parameters(),
)
_SIGLIP_HEAD = _Head(
    resting=lambda model: (
        _with(model.vision_model, head=_with(model.vision_model.head, layernorm=nn.Identity(), mlp=_Nothing())),
        _with(model.text_model, head=nn.Identity()),
    ),
    tail=lambda model: nn.ModuleDict(
        {"pictures": _AfterAttention(model.vision_model.head), "texts": model.text_model.head}
    ),
    moving=lambda tail: (*tail.get_submodule("pictures.mlp.fc2").parameters(), *tail["texts"].parameters()),
)


class _Given(nn.Module):
    """Stands where a tower embeds its input, and passes on activations that were given instead."""

    def forward(
        self,
        pixel_values: torch.Tensor | None = None,
        *,
        input_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        interpolate_pos_encoding: bool = False,
    ) -> torch.Tensor | None:
        del input_ids, interpolate_pos_encoding
        return position_ids if pixel_values is None else pixel_values


def _parts(tower: Any, blocks: int) -> tuple[Any, Any]:
    """A tower up to its last blocks (their input is its `last_hidden_state`), and from them on."""
    layers = tower.encoder.layers
    at = max(0, len(layers) - blocks)
    after = {name: nn.Identity() for name in ("post_layernorm", "final_layer_norm", "head") if hasattr(tower, name)}
    before = {name: nn.Identity() for name in ("pre_layrnorm",) if hasattr(tower, name)}
    resting = _with(tower, encoder=_with(tower.encoder, layers=layers[:at]), **after)
    moving = _with(tower, embeddings=_Given(), encoder=_with(tower.encoder, layers=layers[at:]), **before)
    return resting, moving


def _with(module: Any, **children: nn.Module) -> Any:
    """A copy of `module` that shares its weights and has other children in the places named."""
    changed = copy.copy(module)
    changed._modules = {**module._modules, **children}
    return changed


def _resting_copy(tail: Any) -> Any:
    return copy.deepcopy(tail).requires_grad_(requires_grad=False).eval()


def _after_blocks(tail: Any) -> Towers:
    def texts(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        tokens = {name: values for name, values in inputs.items() if name != ACTIVATIONS}
        given = inputs[ACTIVATIONS].float()
        embedded: torch.Tensor = tail.get_text_features(**tokens, position_ids=given).pooler_output
        return embedded

    return Towers(lambda inputs: tail.get_image_features(pixel_values=inputs.float()).pooler_output, texts)


def _after_pooling(tail: nn.ModuleDict) -> Towers:
    return Towers(
        lambda inputs: tail["pictures"](inputs.float()), lambda inputs: tail["texts"](inputs[ACTIVATIONS].float())
    )


def _temperature(model: Any) -> list[nn.Parameter]:
    return [weight for name, weight in model.named_parameters() if name in TEMPERATURE]
