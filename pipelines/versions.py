"""Package versions that are recorded in a dataset."""

from importlib.metadata import version

PACKAGE_VERSION = version("strmatch")


def versions() -> dict[str, str]:
    """Return the versions of this package and of the packages that affect results."""
    names = ("strmatch", "torch", "diffusers", "transformers", "ray", "pyarrow", "av")
    return {name: version(name) for name in names}
