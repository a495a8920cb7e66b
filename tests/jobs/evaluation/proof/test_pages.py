import re
from copy import deepcopy

import numpy as np
import pytest

from jobs.evaluation.figures import Figure
from jobs.evaluation.proof import pages
from jobs.evaluation.proof.arms import ARMS, AT_ALL_BIASES
from jobs.evaluation.proof.edits import EDITORS
from jobs.evaluation.proof.settings import BIASES, RATIOS
from jobs.evaluation.proof.worlds import TESTS


@pytest.fixture(scope="module")
def results():
    half, none = Figure(0.5, 0.25, 0.75), Figure(np.nan, np.nan, np.nan)
    arm = dict.fromkeys((*TESTS, "worst_group", "gain"), half) | {"share_of_gain": none}
    figures = {
        "label": "<b>shape",
        "nuisance": "background",
        "edits": {name: {"edits": 7} | dict.fromkeys(pages.EDIT_RATES, half) for name in EDITORS},
        "arms": dict.fromkeys(ARMS, arm),
        "differences": {"STR-Match − SDEdit": Figure(0.12, 0.03, 0.2)},
        "biases": {f"{bias:g}": dict.fromkeys(AT_ALL_BIASES, arm) for bias in BIASES},
        "ratios": {f"{ratio:g}": {"conflicting": half, "difference": half} for ratio in RATIOS},
    }
    keys = ("clips", "seeds", "steps", "bias", "test_clips", "seed")
    run = {"package_version": "1", "model_revision": "abc", "quick": True}
    return dict.fromkeys(keys, 3) | run | {"settings": {"figure": figures}}


def test_every_arm_bias_ratio_and_editor_is_in_the_markdown(results):
    text = pages.markdown(results)
    for name in ARMS:
        assert f"| {name} | 50 % [25 … 75] |" in text
    assert "| 0.99 | SDEdit | 50 % [25 … 75] | – % [– … –] |" in text
    assert "| 200 % | 50 % [25 … 75] |" in text
    assert "| STR-Match − SDEdit | 12 % [3 … 20] |" in text
    for name in EDITORS:
        assert f"| {name} | 7 | 50 % [25 … 75] |" in text


def test_the_terminal_has_the_intervals_on_conflicting_clips(results):
    first = pages.printable(results)[0]
    by_head = {column.header: next(iter(column.cells)) for column in first.columns}
    assert by_head["aligned"] == "50 %" and by_head["conflicting"] == "50 % [25 … 75]"


def test_the_page_has_all_in_one_file_and_escapes_it(results):
    page = pages.html(results, pages.plots(results))
    assert page.count("data:image/svg+xml;base64,") == 1
    assert "&lt;b&gt;shape" in page and "<b>shape" not in page
    assert "A quick run" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_the_plot_names_every_arm(results):
    """Also where rounding leaves a figure outside of its interval, as of equal outcomes."""
    results = deepcopy(results)
    figures = results["settings"]["figure"]
    rounded = Figure(0.3, np.nextafter(0.3, 1), np.nextafter(0.3, 0))
    figures["arms"] |= {"STR-Match": figures["arms"]["STR-Match"] | {"conflicting": rounded}}
    figures["ratios"]["0.5"] = {"conflicting": rounded, "difference": rounded}
    (svg,) = pages.plots(results).values()
    for name in ARMS:
        assert f"<!-- {name} -->" in svg.decode()
