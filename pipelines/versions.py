"""Package versions that are recorded in a dataset."""

from importlib.metadata import version

from strmatch import __version__

PACKAGE_VERSION = __version__


def versions() -> dict[str, str]:
    """Return the versions of this package and of the packages that affect results."""
    names = ("strmatch", "torch", "diffusers", "transformers", "ray", "pyarrow", "av")
    return {name: version(name) for name in names}
