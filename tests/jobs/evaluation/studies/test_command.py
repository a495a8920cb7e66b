import json

import pytest

from jobs.evaluation.figures import Figure
from jobs.evaluation.objects.cases import draw_object_edits
from jobs.evaluation.studies import command as job
from pipelines.errors import RunError


def figures(colour, shape, psnr):
    return {
        "lam": 0.01,
        "subject_colour": Figure(colour, 0.0, 1.0),
        "subject_shape": Figure(shape, 0.0, 1.0),
        "background_psnr": Figure(psnr, 20.0, 40.0),
        "centroid_px": Figure(1.5, 1.0, 2.0),
    }


def run(tmp_path, name):
    job.study(name, 2, 0, "dev", None, tmp_path / "study")


def test_a_study_leaves_a_table_its_numbers_and_a_plot(tmp_path, monkeypatch):
    rows = [("weak", figures(0.9, 0.8, 22.0)), ("strong", figures(0.5, 0.4, 31.0))]
    monkeypatch.setattr(job, "check", lambda weights: ("miniature", "1"))
    monkeypatch.setitem(job.STUDIES, "own", lambda pool, cases: iter(rows))
    run(tmp_path, "own")
    lines = (tmp_path / "study" / "own.md").read_text().splitlines()
    assert lines[0].startswith("| own | lam | subject_colour |")
    assert lines[2] == "| weak | 0.01 | 90 % | 80 % | 22.0 dB | 1.5 px |"
    assert lines[3] == "| strong | 0.01 | 50 % | 40 % | 31.0 dB | 1.5 px |"
    read = json.loads((tmp_path / "study" / "own.json").read_text())
    assert read["strong"]["background_psnr"]["value"] == 31.0
    assert "weak" in (tmp_path / "study" / "own.svg").read_text()


def test_an_unknown_study_is_refused_in_one_line(tmp_path):
    with pytest.raises(RunError, match="no study 'facters': one of guidance, factors"):
        run(tmp_path, "facters")


def test_the_study_of_regions_edits_clips_of_several_objects(tmp_path, monkeypatch):
    drawn = []

    def regions(pool, cases):
        drawn.extend(cases)
        yield "default", figures(0.9, 0.8, 22.0)

    monkeypatch.setattr(job, "study_regions", regions)
    run(tmp_path, "regions")
    assert drawn == draw_object_edits(2, "dev", 0)
    assert (tmp_path / "study" / "regions.md").exists()
