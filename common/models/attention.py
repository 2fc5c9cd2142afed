"""Self-attention over all positions of a feature map (SAGAN, Zhang et al. 2018, arXiv 1805.08318)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

# Scores held at once on the CPU: 2**24 float32 values are 64 MiB.
MAX_SCORES = 2**24


def attention_in_chunks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(query key^T) value, unscaled as in SAGAN, without holding the whole L x L matrix.

    Only in training on a CPU, where L is that of a crop, autograd keeps all of it.
    query, key: (N, L, d); value: (N, L, c); returns (N, L, c). CUDA has a fused kernel for it. Elsewhere the queries
    are processed in chunks, which does not change the result, since the softmax of each row is independent.
    """
    if torch.compiler.is_exporting():  # which cannot tell how many chunks there will be
        return (query @ key.transpose(1, 2)).softmax(dim=-1) @ value
    if query.is_cuda:
        return F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None], scale=1.0)[:, 0]
    rows = max(1, MAX_SCORES // (key.shape[0] * key.shape[1]))
    key = key.transpose(1, 2)
    return torch.cat([(chunk @ key).softmax(dim=-1) @ value for chunk in query.split(rows, dim=1)], dim=1)


class SelfAttention(nn.Module):
    """fastai's `SelfAttention` in bounded memory: x + gamma * attention(x), x of shape (N, n_channels, H, W).

    Same numbers and parameter names as fastai's layer. gamma starts at 0, so a new layer is the identity. Its three
    1x1 convolutions always have spectral norm, as in the paper, whatever norm the rest of the network has.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (
            spectral_norm(nn.Conv1d(n_channels, n, kernel_size=1, bias=False))
            for n in (n_channels // 8, n_channels // 8, n_channels)
        )
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(2)  # (N, C, L)
        # fastai normalises over the positions of its `query`, so its `key` is the query here and its `query` the key.
        # Contiguous, since the fused kernels refuse other layouts and torch then silently makes the whole matrix.
        query, key, value = (conv(flat).transpose(1, 2).contiguous() for conv in (self.key, self.query, self.value))
        attended = attention_in_chunks(query, key, value).transpose(1, 2)
        return x + self.gamma * attended.reshape(x.shape)
