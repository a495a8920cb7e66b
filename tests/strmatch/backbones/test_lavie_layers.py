"""Temporal attention of LaVie compared with T5's buckets and plain loops."""

import math

import torch
from torch import nn

from strmatch.attention import record_attention
from strmatch.backbones.lavie_layers import TemporalAttention, relative_position_buckets

# T5's buckets of 16 keys, seen from the first and from the last of 16 queries.
FIRST_ROW = [0, 17, 18, 19, 20, 21, 22, 23, 24, 24, 25, 25, 26, 26, 27, 27]
LAST_ROW = [11, 11, 10, 10, 9, 9, 8, 8, 7, 6, 5, 4, 3, 2, 1, 0]


def test_position_buckets_equal_those_of_t5() -> None:
    buckets = relative_position_buckets(16)
    assert buckets[0].tolist() == FIRST_ROW
    assert buckets[15].tolist() == LAST_ROW
    far = relative_position_buckets(100)
    assert far.min() == 0 and far.max() == 31
    assert far[0, 99] == 31 and far[99, 0] == 15


@torch.no_grad()
def test_temporal_attention_equals_plain_loops() -> None:
    """The loops follow the description alone. The heads are wider than the rotated part."""
    torch.manual_seed(0)
    frames, heads, d = 16, 2, 48
    module = TemporalAttention(heads * d, heads).double()
    nn.init.normal_(module.to_out[0].weight, std=0.1)
    x = torch.randn(1, frames, heads * d, dtype=torch.float64)
    with record_attention({"temporal": module}) as maps:
        actual = module(x)

    def turned(vector: list[float], position: int) -> list[float]:
        vector = list(vector)
        for k in range(16):
            angle = position * float(module.rotary_emb.freqs[k])
            assert math.isclose(angle, position * 10000 ** (-2 * k / 32), rel_tol=1e-6)
            a, b = vector[2 * k], vector[2 * k + 1]
            vector[2 * k] = a * math.cos(angle) - b * math.sin(angle)
            vector[2 * k + 1] = b * math.cos(angle) + a * math.sin(angle)
        return vector

    bias = module.time_rel_pos_bias.relative_attention_bias.weight
    query, key, value = (linear(x)[0] for linear in (module.to_q, module.to_k, module.to_v))
    attended = torch.zeros(frames, heads * d, dtype=torch.float64)
    for head in range(heads):
        part = slice(head * d, (head + 1) * d)
        keys = [turned(key[j, part].tolist(), j) for j in range(frames)]
        for i in range(frames):
            scaled = [v * d**-0.5 for v in query[i, part].tolist()]  # before the rotation
            q = turned(scaled, i)
            logits = []
            for j in range(frames):
                bucket = FIRST_ROW[j - i] if j > i else LAST_ROW[15 - (i - j)]
                dot = sum(a * b for a, b in zip(q, keys[j], strict=True))
                logits.append(dot + float(bias[bucket, head]))
            total = sum(math.exp(v) for v in logits)
            for j in range(frames):
                probability = math.exp(logits[j]) / total
                assert math.isclose(probability, maps["temporal"][0, head, i, j], rel_tol=1e-9)
                attended[i, part] += probability * value[j, part]
    expected = attended @ module.to_out[0].weight.T + module.to_out[0].bias
    torch.testing.assert_close(actual[0], expected, rtol=0, atol=1e-9)
