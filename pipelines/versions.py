"""The versions that a dataset records."""

from importlib.metadata import version

PACKAGE_VERSION = version("strmatch")


def versions() -> dict[str, str]:
    """Of this package and of those that results depend on."""
    names = ("strmatch", "torch", "diffusers", "transformers", "ray", "pyarrow", "av")
    return {name: version(name) for name in names}
