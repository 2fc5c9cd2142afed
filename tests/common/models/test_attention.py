import pytest
import torch
from fastai.layers import SelfAttention as FastaiSelfAttention
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrize

from common.models import attention
from common.models.attention import SelfAttention, attention_in_chunks


@pytest.mark.parametrize("size", [(8, 8), (5, 7)])
def test_same_numbers_as_fastais_layer(size):
    theirs, ours = FastaiSelfAttention(32), SelfAttention(32).eval()
    x = torch.randn(2, 32, *size)
    theirs(x)  # its spectral norm has no weight before a first pass in train mode
    theirs.eval()(x)
    for name in ("query", "key", "value"):
        parametrize.remove_parametrizations(getattr(ours, name), "weight")
        getattr(ours, name).weight.data = getattr(theirs, name)[0].weight.data
    ours.gamma.data.fill_(0.7)
    theirs.gamma.data.fill_(0.7)
    torch.testing.assert_close(ours(x), theirs(x))


def test_chunks_of_queries_change_no_number(monkeypatch):
    query, key, value = torch.randn(2, 50, 4), torch.randn(2, 50, 4), torch.randn(2, 50, 6)
    whole = attention_in_chunks(query, key, value)
    monkeypatch.setattr(attention, "MAX_SCORES", 700)  # 7 queries at a time
    torch.testing.assert_close(attention_in_chunks(query, key, value), whole, rtol=0, atol=1e-6)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, scale=1.0)
    torch.testing.assert_close(whole, expected)


def test_never_holds_the_whole_matrix(monkeypatch):
    monkeypatch.setattr(attention, "MAX_SCORES", 1000)
    largest = 0
    softmax = torch.Tensor.softmax

    def watched(scores, dim):
        nonlocal largest
        largest = max(largest, scores.numel())
        return softmax(scores, dim)

    monkeypatch.setattr(torch.Tensor, "softmax", watched)
    attention_in_chunks(torch.randn(1, 200, 4), torch.randn(1, 200, 4), torch.randn(1, 200, 4))
    assert 0 < largest <= 1000


def test_a_new_layer_is_the_identity():
    x = torch.randn(1, 16, 4, 4)
    assert torch.equal(SelfAttention(16)(x), x)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_a_fused_kernel_runs_and_agrees():
    layer, x = SelfAttention(64), torch.randn(2, 64, 16, 16)
    layer.gamma.data.fill_(0.7)
    expected = layer.eval()(x)
    with sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.FLASH_ATTENTION]):
        on_gpu = layer.cuda()(x.cuda()).cpu()
    torch.testing.assert_close(on_gpu, expected, rtol=1e-3, atol=1e-3)
