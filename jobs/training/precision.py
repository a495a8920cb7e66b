"""bfloat16 where the processor multiplies it in hardware."""

import torch


def product_type(device: str) -> torch.dtype:
    """What to multiply in: bfloat16 on a GPU or on a CPU with AMX or AVX-512 BF16, else float32."""
    known = torch.cpu.get_capabilities()
    quick = device != "cpu" or known.get("amx_bf16") or known.get("avx512_bf16")
    return torch.bfloat16 if quick else torch.float32


def fast(device: str) -> torch.autocast:
    """Autocast to bfloat16 where that is what to multiply in; else do nothing."""
    enabled = product_type(device) == torch.bfloat16
    return torch.autocast(device, dtype=torch.bfloat16, enabled=enabled)
