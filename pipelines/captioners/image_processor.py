"""The processor of a vision-language model, for frames that are given as images."""

from pathlib import Path
from typing import Any


class NoVideos(dict[str, Any]):
    """Stands for a processor's part for videos; a dict, since its parts are shown as JSON."""

    num_frames = fps = None


def load_processor(folder: Path) -> Any:
    """What turns a conversation with images into a model's inputs, as `transformers` has it.

    Many families' processors have a part for videos, and `AutoProcessor` cannot make it without
    torchvision. Frames that are images do not need it. Images are prepared by PIL, so that the same
    frames give the same inputs on every machine.

    Args:
        folder: with the files that `save_pretrained` of model and processor leave.

    Raises:
        OSError, ValueError: files are missing, or the model is not one that `transformers` has;
            code that comes with weights is never run.
    """
    from transformers import PROCESSOR_MAPPING, AutoConfig, AutoImageProcessor, AutoTokenizer

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if type(config) not in PROCESSOR_MAPPING:
        raise ValueError(f"transformers has no processor for {config.model_type}")
    of_family = PROCESSOR_MAPPING[type(config)]

    class OfImages(of_family):  # type: ignore[valid-type, misc]
        def check_argument_for_proper_class(self, name: str, part: Any) -> Any:
            if not isinstance(part, NoVideos):
                return super().check_argument_for_proper_class(name, part)

    makers = {
        "tokenizer": lambda: AutoTokenizer.from_pretrained(folder),
        "image_processor": lambda: AutoImageProcessor.from_pretrained(folder, backend="pil"),
        "video_processor": NoVideos,
    }
    parts = OfImages.get_attributes()
    if more := set(parts) - set(makers):
        raise ValueError(f"{of_family.__name__} takes more than images: {', '.join(more)}")
    settings, _ = OfImages.get_processor_dict(folder)
    return OfImages.from_args_and_dict([makers[part]() for part in parts], settings)
