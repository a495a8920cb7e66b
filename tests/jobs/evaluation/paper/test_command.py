"""The suite `paper` as a whole, with few clips and steps."""

import json
from dataclasses import replace

import pytest

from jobs.evaluation.command import check, evaluate, keep
from jobs.evaluation.paper import command as paper
from jobs.evaluation.paper.methods import MULTIPLES, methods_of
from jobs.evaluation.paper.statements import FRONTIERS, STATEMENTS
from pipelines.errors import RunError
from strmatch.presets import load_preset


def test_the_paper_suite_without_an_output_is_refused_in_one_line():
    with pytest.raises(RunError, match="--suite paper needs --output"):
        evaluate("paper", 1, 0, "test", None, None, None)


@pytest.mark.slow
def test_every_method_and_statement_has_its_figures(ray_cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paper, "DEV_CLIPS", 1)
    methods = {
        name: replace(
            method,
            grid=method.grid[1:3] if name in ("str_match", *FRONTIERS) else method.grid[1:2],
        )
        for name, method in methods_of(load_preset("miniature"), joint=False).items()
    }
    monkeypatch.setattr(paper, "methods_of", lambda preset, joint: methods)
    weights, revision = check(None)
    output, file = tmp_path / "out", tmp_path / "paper.json"

    def run():
        found = paper.compare(1, 5, "test", weights, revision, str(output), steps=1)
        keep(found, file)
        return json.loads(file.read_text())

    found = run()
    assert list(found["methods"]) == list(methods) and list(found["lambdas"]) == list(MULTIPLES)
    for figures in found["methods"].values():
        for figure in figures.values():
            assert set(figure) == {"value", "low", "high"}
        similarity = figures["clip_similarity"]
        assert similarity["low"] <= similarity["value"] <= similarity["high"]
    for name, method in methods.items():
        assert found["strengths"][name] in method.grid
    names = [statement["name"] for statement in found["statements"]]
    assert names == [
        *(statement.name for statement in STATEMENTS),
        *(f"frontier_against_{name}" for name in FRONTIERS),
    ]
    for statement in found["statements"]:
        assert statement["verdict"] in ("reproduced", "not reproduced", "undecided")
    assert json.loads((output / "paper.json").read_text()) == found
    for name in ("index.html", "paper.md", "radar.svg", "frontier.svg"):
        assert (output / name).stat().st_size > 1000
    said = capsys.readouterr().out
    assert "str_match_masked" in said and "1 clips: about" in said

    results = {path: path.stat().st_mtime_ns for path in (output / "results").iterdir()}
    assert len(results) == 2
    monkeypatch.setattr(paper, "_seconds_a_window", lambda weights, methods, steps: 1.0)
    again = run()  # nothing is done again
    assert {path: path.stat().st_mtime_ns for path in (output / "results").iterdir()} == results
    assert again | {"seconds": 0} == found | {"seconds": 0}
