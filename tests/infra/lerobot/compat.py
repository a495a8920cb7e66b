"""lerobot on a torch without CUDA. Imported before lerobot.

The packaged torchvision is built for CUDA, and its operators cannot be loaded. lerobot uses none of
them, but torchvision describes two while it is imported.
"""

import torch

_operators = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _operators.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
