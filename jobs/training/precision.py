"""bfloat16 where the processor multiplies it in hardware."""

import torch


def fast(device: str) -> torch.autocast:
    """Autocast to bfloat16 on a GPU or on a CPU with AMX or AVX-512 BF16; else do nothing."""
    known = torch.cpu.get_capabilities()
    enabled = device != "cpu" or bool(known.get("amx_bf16") or known.get("avx512_bf16"))
    return torch.autocast(device, dtype=torch.bfloat16, enabled=enabled)
