"""bfloat16 where the processor multiplies it in hardware."""

import torch


def product_type(device: str) -> torch.dtype:
    """Returns the dtype of matrix products.

    bfloat16 on a GPU and on a CPU with AMX or AVX-512 BF16, else float32.
    """
    known = torch.cpu.get_capabilities()
    quick = device != "cpu" or known.get("amx_bf16") or known.get("avx512_bf16")
    return torch.bfloat16 if quick else torch.float32


def fast(device: str) -> torch.autocast:
    """Returns a context that autocasts to bfloat16 where `product_type` is bfloat16."""
    enabled = product_type(device) == torch.bfloat16
    return torch.autocast(device, dtype=torch.bfloat16, enabled=enabled)
