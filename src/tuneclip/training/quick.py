"""The same arithmetic in less time on a processor: other kernels for what a step mostly does.

Every replacement computes what it replaces up to the order of additions. Weights, their names and what is saved stay.
"""

from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.nn import functional

QUICK_GELU = 1.702
"""x · sigmoid(1.702 x) is the quick GELU of CLIP (arXiv 1606.08415, section 2)."""

CLASS_TOKEN = ("clip", "metaclip_2")
"""Families whose picture tower reads the first row of its last block, and no other."""


def quicken(model: Any) -> None:
    """Replace the slow parts of a CLIP-like model of transformers in place; it stays what it was to everyone else."""
    for module in model.modules():
        if type(module) is nn.Linear and slow_products():
            module.__class__ = Linear
        if type(getattr(module, "activation_fn", None)).__name__ == "QuickGELUActivation":
            module.activation_fn = QuickGelu()
        if hasattr(module, "q_proj") and _cast_once not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_cast_once, with_kwargs=True)
    if model.config.model_type in CLASS_TOKEN:
        last = model.vision_model.encoder.layers[-1]
        if last.self_attn.dropout == 0:
            last.forward = MethodType(_first_row, last)


def slow_products() -> bool:
    """Whether MKL, which multiplies torch's float32 matrices, leaves AVX-512 unused here, as it does on AMD.

    Measured on an EPYC of family 26: 90 GFLOP/s a core by MKL 2024.2, 190 by oneDNN (docs/experiments.md).
    """
    able = torch.cpu.get_capabilities()
    known = torch.backends.mkl.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")  # type: ignore[no-untyped-call]
    return bool(known and able.get("avx512_f")) and "AMD" in str(able.get("cpu_name"))


class Linear(nn.Linear):
    """A linear layer whose float32 products go through oneDNN, forward and backward."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(…, in) to (…, out)."""
        plain = input.dtype == self.weight.dtype == torch.float32 and input.device.type == "cpu"
        if not plain or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        result: torch.Tensor = _Product.apply(input, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return result


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        context.save_for_backward(input, weight)
        return _product(input.contiguous(), weight, bias)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inputs, weight = context.saved_tensors
        # oneDNN multiplies rows with gaps between them some hundred times slower
        rows = gradient.reshape(-1, gradient.shape[-1]).contiguous()
        seen = inputs.reshape(-1, inputs.shape[-1]).contiguous()
        to_input, to_weight, to_bias = context.needs_input_grad
        return (
            _product(gradient.contiguous(), weight.T) if to_input else None,
            _product(rows.T, seen.T) if to_weight else None,
            rows.sum(0) if to_bias else None,
        )


def _product(left: torch.Tensor, right: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """`left` times `right` transposed, plus the bias: the operator to which torch's compiler lowers a linear layer."""
    result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return result


class QuickGelu(nn.Module):
    """CLIP's activation by the kernels of SiLU: silu(1.702 x) / 1.702, one pass backwards instead of five."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """The activation of each value."""
        result: torch.Tensor = _QuickGelu.apply(input)  # type: ignore[no-untyped-call]
        return result


class _QuickGelu(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, input: torch.Tensor) -> torch.Tensor:
        scaled = input * QUICK_GELU
        context.save_for_backward(scaled)
        return functional.silu(scaled).mul_(1 / QUICK_GELU)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        (scaled,) = context.saved_tensors
        result: torch.Tensor = torch.ops.aten.silu_backward(gradient, scaled)
        return result


def _cast_once(module: Any, arguments: Any, options: dict[str, Any]) -> Any:
    """Under autocast queries, keys and values each cast the same input: do it once for the three."""
    device = module.q_proj.weight.device.type
    if "hidden_states" not in options or not torch.is_autocast_enabled(device):
        return None
    return arguments, {**options, "hidden_states": options["hidden_states"].to(torch.get_autocast_dtype(device))}


def _first_row(block: Any, hidden_states: torch.Tensor, attention_mask: Any = None, **options: Any) -> torch.Tensor:
    """A block's output for the class token, (batch, 1, width): the last block is asked for nothing else."""
    del attention_mask, options  # pictures have no mask
    attention, normed = block.self_attn, block.layer_norm1(hidden_states)
    queries, keys, values = (
        projected.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        for projected in (attention.q_proj(normed[:, :1]), attention.k_proj(normed), attention.v_proj(normed))
    )
    attended = functional.scaled_dot_product_attention(queries, keys, values, scale=attention.scale)
    first = hidden_states[:, :1] + attention.out_proj(attended.transpose(1, 2).flatten(2))
    result: torch.Tensor = first + block.mlp(block.layer_norm2(first))
    return result
