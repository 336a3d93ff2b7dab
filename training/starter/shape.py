"""The starter's shape: a CLIPModel small enough to be packaged and to be trained on two processor cores."""

from __future__ import annotations

import torch
from torch import Tensor
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


def text_embeddings(model: CLIPModel, tokens: Tensor) -> Tensor:
    """Unit-length embeddings (texts, 256) in float32."""
    pooled = model.text_model(input_ids=tokens).pooler_output
    return torch.nn.functional.normalize(model.text_projection(pooled).float(), dim=-1)
