"""The names that `import strmatch` offers."""

import inspect
import rlcompleter
import subprocess
import sys
from importlib.metadata import version

import strmatch


def test_completion_shows_the_whole_interface_and_nothing_else():
    assert dir(strmatch) == sorted(strmatch.__all__)
    complete = rlcompleter.Completer({"strmatch": strmatch}).complete
    assert complete("strmatch.load", 0).startswith("strmatch.load_backbone")
    for name, member in inspect.getmembers(strmatch):
        assert getattr(member, "__module__", "strmatch").startswith("strmatch"), name


def test_the_version_is_that_of_the_package():
    assert strmatch.__version__ == version("strmatch")


def test_settings_and_version_need_neither_torch_nor_pydantic():
    code = (
        "import sys, strmatch, strmatch.baselines.settings; dir(strmatch); strmatch.__version__; "
        "strmatch.EditSettings(); print([m for m in ('torch', 'pydantic') if m in sys.modules])"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed.strip() == "[]"
