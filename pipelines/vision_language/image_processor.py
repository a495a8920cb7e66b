"""Loads the processor of a vision-language model for frames that are passed as images."""

from pathlib import Path
from typing import Any


class NoVideos(dict[str, Any]):
    """Placeholder for the video part of a processor. A dict, because parts are printed as JSON."""

    num_frames = fps = None


def load_processor(folder: Path) -> Any:
    """Load the `transformers` processor that converts a conversation with images to model inputs.

    Many processors have a part for videos, which `AutoProcessor` cannot build without torchvision.
    Frames that are passed as images do not need this part. PIL prepares the images, so that equal
    frames give equal inputs on every machine.

    Args:
        folder: holds the files written by `save_pretrained` of model and processor.

    Raises:
        OSError, ValueError: files are missing, or `transformers` does not have the model. Code in
            the folder is never executed.
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
