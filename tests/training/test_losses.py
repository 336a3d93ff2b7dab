"""The losses against plain, separately written references."""

import math

import numpy as np
import pytest
import torch

from tuneclip.training.losses import positives, sigmoid_loss, softmax_loss


def random_logits(size: int = 7) -> torch.Tensor:
    return torch.randn(size, size, generator=torch.Generator().manual_seed(1)) * 5


def test_without_twins_the_softmax_loss_is_clips_cross_entropy() -> None:
    logits = random_logits()
    target = torch.arange(7)
    plain = (
        torch.nn.functional.cross_entropy(logits, target) + torch.nn.functional.cross_entropy(logits.T, target)
    ) / 2
    assert softmax_loss(logits, torch.eye(7, dtype=torch.bool)).item() == pytest.approx(plain.item(), abs=1e-6)


def test_twin_captions_share_the_target_as_written_out_by_hand() -> None:
    logits, belongs = random_logits(4), positives(["p", "q", "r", "s"], ["x", "y", "x", "z"])
    values, total = logits.double().numpy(), 0.0
    for matrix, own in ((values, belongs.numpy()), (values.T, belongs.numpy().T)):
        for row, mine in zip(matrix, own, strict=True):
            log_share = row - math.log(np.exp(row).sum())
            total -= log_share[mine].mean() / 8
    assert softmax_loss(logits, belongs).item() == pytest.approx(total, abs=1e-6)


def test_pairs_belong_together_by_picture_or_by_caption() -> None:
    belongs = positives(["p", "q", "p", "r"], ["x", "y", "z", "y"])
    assert belongs.int().tolist() == [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]


def test_identical_twins_pull_no_gradient_apart() -> None:
    logits = torch.zeros(2, 2, requires_grad=True)
    softmax_loss(logits, positives(["p", "q"], ["x", "x"])).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max().item() < 1e-7


def test_sigmoid_loss_is_siglips() -> None:
    logits, total = random_logits(5), 0.0
    for i in range(5):
        for j in range(5):
            sign = 1 if i == j else -1
            total += math.log1p(math.exp(-sign * logits[i, j].item())) / 5
    assert sigmoid_loss(logits, torch.eye(5, dtype=torch.bool)).item() == pytest.approx(total, rel=1e-5)
