"""The starter's shape: a CLIPModel small enough to be packaged and to be trained on two processor cores."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTokenizer, CLIPVisionConfig

from .teacher import SIDE

DIMENSION = 256


def configuration(tokenizer: CLIPTokenizer) -> CLIPConfig:
    """Vision: 6 layers of 256, 64 patches of 12 px; text: 4 layers of 192."""
    vision = CLIPVisionConfig(
        hidden_size=256, intermediate_size=1024, num_hidden_layers=6, num_attention_heads=4, image_size=SIDE,
        patch_size=12, hidden_act="gelu", projection_dim=DIMENSION,
    )  # fmt: skip
    text = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=192, intermediate_size=768, num_hidden_layers=4, num_attention_heads=3,
        max_position_embeddings=tokenizer.model_max_length, hidden_act="gelu", projection_dim=DIMENSION,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=DIMENSION)


def _attend(attention: Any, states: Tensor, mask: Tensor | None) -> Tensor:
    """What `attention` returns for (batch, length, width), by plain matrix products.

    On a processor, with sequences this short, a training step takes half to a third of the time that it takes with
    torch's fused attention, whose backward pass alone was a third of it.
    """
    batch, length, width = states.shape
    heads, rank = attention.num_heads, attention.head_dim
    weight = torch.cat([attention.q_proj.weight * attention.scale, attention.k_proj.weight, attention.v_proj.weight])
    bias = torch.cat([attention.q_proj.bias * attention.scale, attention.k_proj.bias, attention.v_proj.bias])
    split = functional.linear(states, weight, bias).view(batch, length, 3, heads, rank)
    queries, keys, values = split.permute(2, 0, 3, 1, 4).reshape(3, batch * heads, length, rank)
    scores = torch.bmm(queries, keys.transpose(1, 2))
    shares = (scores if mask is None else scores + mask).softmax(-1).to(values.dtype)
    joined = torch.bmm(shares, values).view(batch, heads, length, rank).transpose(1, 2).reshape(batch, length, width)
    out: Tensor = attention.out_proj(joined)
    return out


def encode_states(encoder: Any, states: Tensor, *, causal: bool) -> Tensor:
    """What `encoder(inputs_embeds=states)` of a CLIPModel's tower gives, (batch, length, width), trained faster."""
    length = states.shape[1]
    mask = torch.full((length, length), float("-inf"), dtype=states.dtype).triu(1) if causal else None
    for layer in encoder.layers:
        states = states + _attend(layer.self_attn, layer.layer_norm1(states), mask)
        states = states + layer.mlp(layer.layer_norm2(states))
    return states


def text_embeddings(model: CLIPModel, tokens: Tensor) -> Tensor:
    """Unit-length embeddings (texts, 256) in float32, as `model.get_text_features` gives them before normalisation."""
    tower = model.text_model
    states = encode_states(tower.encoder, tower.embeddings(input_ids=tokens), causal=True)
    end = (tokens == model.config.text_config.eos_token_id).int().argmax(1)
    pooled = tower.final_layer_norm(states[torch.arange(len(tokens)), end])
    return functional.normalize(model.text_projection(pooled).float(), dim=-1)
