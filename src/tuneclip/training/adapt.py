"""What moves in a run: each recipe turns a model and a dataset into towers, batches and validation embeddings."""

import copy
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from weakref import finalize

import numpy as np
import torch
from numpy.typing import DTypeLike

from tuneclip.data.load import Dataset
from tuneclip.model.encode import Encoder
from tuneclip.model.open import Loaded
from tuneclip.model.retrieval import Vectors
from tuneclip.training.batches import Batches, Feed
from tuneclip.training.frozen import FrozenFeed, Keeper, embed_kept
from tuneclip.training.hyperparameters import choose_attention
from tuneclip.training.order import make_order
from tuneclip.training.plan import Plan
from tuneclip.training.quick import quicken
from tuneclip.training.towers import Halves, Normalise, Towers, cut_blocks, cut_head, whole
from tuneclip.training.validate import Embed

__all__ = ["RECIPES", "Adaptation", "Normalise", "Towers", "adapt", "at_rest"]


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
    """The recipe of the plan, applied. New weights and dropout follow from the plan's seed."""
    torch.manual_seed(plan.config.seed)
    loaded.model.to(torch.device(plan.device))
    choose_attention(loaded.model, plan.device)
    quicken(loaded.model)
    return RECIPES[plan.config.recipe](loaded, dataset, plan)


def full(loaded: Loaded, dataset: Dataset, plan: Plan) -> Adaptation:
    """Every weight of both towers moves (FLYP, arXiv 2212.00638)."""
    base = _at_rest_copy(loaded) if plan.config.distillation else None
    return Adaptation(
        loaded,
        whole(loaded.model, loaded.preprocessing),
        batches=Feed(dataset, loaded, make_order(dataset, plan.config), augment=plan.config.augment),
        embed=_encode(loaded, plan),
        finish=lambda: None,
        anchor=base,
    )


def lora(loaded: Loaded, dataset: Dataset, plan: Plan) -> Adaptation:
    """Low-rank additions to q, k and v of both towers move, and the temperature (see `lora.py`)."""
    from tuneclip.training.lora import attach, merge, without

    tuner = attach(loaded.model, plan.config)
    towers = whole(loaded.model, loaded.preprocessing)

    def base_pictures(inputs: torch.Tensor) -> torch.Tensor:
        with without(tuner):
            return towers.pictures(inputs)

    def base_texts(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        with without(tuner):
            return towers.texts(inputs)

    return Adaptation(
        loaded,
        towers,
        batches=Feed(dataset, loaded, make_order(dataset, plan.config), augment=plan.config.augment),
        embed=_encode(loaded, plan),
        finish=lambda: merge(tuner),
        anchor=_without_gradient(Towers(base_pictures, base_texts)) if plan.config.distillation else None,
    )


def blocks(loaded: Loaded, dataset: Dataset, plan: Plan) -> Adaptation:
    """The last blocks of each tower and all that comes after them move; what the others say is computed once.

    It is kept in float16, half the disk of float32: of 128 product pictures and titles no embedding by the starter
    moves by a cosine distance above 2e-7, and their loss of 5.7 moves by 3e-5 (bfloat16: 5e-6 and 5e-4).
    """
    halves = cut_blocks(loaded.model, loaded.preprocessing, plan.config.blocks)
    return _halved(loaded, dataset, plan, halves=halves)


def head(loaded: Loaded, dataset: Dataset, plan: Plan) -> Adaptation:
    """The last linear map of each tower moves, held near the base's: ProLIP (arXiv 2410.05270) for both towers.

    Its penalty is λ ‖W − W₀‖², the squared Frobenius norm, here of both maps. As its λ falls with the shots of a class
    (1/N), this one falls with the training pictures: `head_penalty` / pictures. Pooled features are small and are kept
    in float32.
    """
    halves = cut_head(loaded.model, loaded.preprocessing)
    moved = [weight for weight in halves.parameters if weight.numel() > 1]  # not the temperature
    before = [weight.detach().clone() for weight in moved]

    def penalty() -> torch.Tensor:
        away = [(weight - old).square().sum() for weight, old in zip(moved, before, strict=True)]
        return plan.config.head_penalty / plan.records * torch.stack(away).sum()

    return _halved(loaded, dataset, plan, halves=halves, penalty=penalty)


RECIPES: dict[str, Callable[[Loaded, Dataset, Plan], Adaptation]] = {
    "full": full,
    "lora": lora,
    "blocks": blocks,
    "head": head,
}


KEPT_AS: dict[str, DTypeLike] = {"blocks": np.float16, "head": np.float32}
"""How activations lie on the disk: their number is large before the last blocks and small after pooling."""


def at_rest(model: torch.nn.Module) -> tuple[str, ...]:
    """The names of parameters that should move but have no gradient, or one of zeros, after a backward pass.

    Left out is what need not have one: a bias of keys, which softmax does not see, and LoRA's first matrix where the
    second has one: at the first step the second is still zero, and with it the first one's gradient.
    """
    weights = dict(model.named_parameters())
    still = [name for name, weight in weights.items() if weight.requires_grad and not _has_gradient(weight)]
    excused = [name for name in still if _has_gradient(weights[name.replace(".lora_A.", ".lora_B.")])]
    return tuple(name for name in still if name not in excused and not name.endswith("k_proj.bias"))


def _has_gradient(weight: torch.nn.Parameter) -> bool:
    return weight.grad is not None and bool(weight.grad.any())


def _halved(
    loaded: Loaded,
    dataset: Dataset,
    plan: Plan,
    *,
    halves: Halves,
    penalty: Callable[[], torch.Tensor] | None = None,
) -> Adaptation:
    """What `blocks` and `head` share: the moving half trains on what the resting half said once."""
    keeper = _keeper(loaded, plan, halves)
    order = make_order(dataset, plan.config)
    paths = [dataset.picture_path(record) for record in order.records]
    if plan.config.augment:
        feed = Feed(dataset, loaded, order, augment=True)
        views = keeper.views(feed, paths, min(plan.config.views, plan.config.num_epochs))
    else:
        views = [keeper.pictures(paths)]
    texts = keeper.texts([caption for record in order.records for caption in record.captions])
    _let_move(loaded.model, halves.parameters)
    return Adaptation(
        loaded,
        halves.moving,
        batches=FrozenFeed(order, views, texts),
        embed=partial(embed_kept, keeper, halves, torch.device(plan.device)),
        finish=lambda: _let_move(loaded.model, loaded.model.parameters()),
        anchor=_without_gradient(halves.at_rest()) if plan.config.distillation else None,
        penalty=penalty,
    )


def _keeper(loaded: Loaded, plan: Plan, halves: Halves) -> Keeper:
    recipe = plan.config.recipe
    cut = f"{recipe} {plan.config.blocks}" if recipe == "blocks" else recipe
    folder = plan.kept or Path(tempfile.mkdtemp(prefix="tuneclip-"))
    keeper = Keeper(loaded, plan, halves, cut=cut, dtype=KEPT_AS[recipe], folder=folder)
    if plan.kept is None:
        finalize(keeper, shutil.rmtree, keeper.folder, ignore_errors=True)
    return keeper


def _let_move(model: torch.nn.Module, parameters: Iterable[torch.nn.Parameter]) -> None:
    """Give these parameters a gradient, and no other."""
    chosen = {id(parameter) for parameter in parameters}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in chosen)


def _encode(loaded: Loaded, plan: Plan) -> Embed:
    encoder = Encoder(loaded, plan.device)

    def embed(pictures: Sequence[Path], texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        loaded.model.eval()
        return encoder.both(pictures, texts)

    return embed


def _at_rest_copy(loaded: Loaded) -> Towers:
    base = copy.deepcopy(loaded.model).requires_grad_(requires_grad=False).eval()
    return _without_gradient(whole(base, loaded.preprocessing))


def _without_gradient(towers: Towers) -> Towers:
    return Towers(torch.no_grad()(towers.pictures), torch.no_grad()(towers.texts))
