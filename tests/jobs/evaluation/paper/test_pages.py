import re

import numpy as np
import pytest

from jobs.evaluation.figures import Figure
from jobs.evaluation.paper import pages
from jobs.evaluation.paper.choose import grid
from jobs.evaluation.paper.examiner import METRICS
from jobs.evaluation.paper.methods import methods_of
from strmatch.presets import load_preset

METHODS = methods_of(load_preset("miniature"), joint=False)


@pytest.fixture(scope="module")
def found():
    figures = {metric: Figure(0.5, 0.25, 0.75) for metric in METRICS}
    figures["centroid_px"] = Figure(np.inf, 1.0, np.inf)
    difference = Figure(-0.1, -0.2, 0.3)
    compared = {
        "metric": "motion_error",
        "ours": "str_match",
        "theirs": "dmt",
        "wanted": "less",
        "difference": difference,
        "verdict": "undecided",
    }
    return {
        "clips": 2,
        "seed": 4,
        "dev_clips": 7,
        "package_version": "1",
        "model_revision": "abc",
        "strengths": {name: method.grid[0] for name, method in METHODS.items()},
        "methods": dict.fromkeys(METHODS, figures),
        "left_out": {"other": "needs a thing"},
        "kinds": {name: {"recolour": 0.5, "both": 1.0} for name in METHODS},
        "statements": [
            {"name": "a", "claim": "<b>All</b>", "verdict": "undecided", "comparisons": [compared]}
        ],
    }


@pytest.fixture(scope="module")
def tried():
    return [
        {"attempt": attempt.name} | {metric: row + case for row, metric in enumerate(METRICS)}
        for case in range(3)
        for attempt in grid(METHODS)
    ]


def test_every_method_and_statement_is_in_the_markdown(found):
    text = pages.markdown(found)
    for name in METHODS:
        assert f"| {name} | " in text
    assert "|   str_match − dmt: motion_error | less | -0.10 [-0.20 … +0.30] | undecided |" in text
    assert "50 % [25 % … 75 %]" in text and "– [1.0 … –]" in text
    rows = [line for line in text.splitlines() if line.startswith("| str_match |")]
    assert rows[1].endswith("| 50 % | 100 % |")
    assert "| other | left out: needs a thing |  |" in text


def test_the_page_has_all_in_one_file_and_escapes_it(found, tried):
    page = pages.html(found, pages.plots(found, tried, METHODS))
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "&lt;b&gt;All&lt;/b&gt;" in page and "<b>All" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_plots_name_every_method(found, tried):
    for svg in pages.plots(found, tried, METHODS).values():
        for name in METHODS:
            assert f"<!-- {name} -->" in svg.decode()
