from types import SimpleNamespace

from jobs.evaluation.objects.cases import draw_object_edits
from jobs.evaluation.objects.examiner import Choice
from jobs.evaluation.studies.regions import CHOICES, study_regions

ROW = {
    "asked_colour": [True, False],
    "asked_shape": [True, True],
    "right": False,
    "centroid_px": [1.0, 3.0],
    "untouched": [],
    "untouched_psnr": [],
    "background_psnr": 50.0,
    "counterfactual_psnr": 20.0,
    "seconds": 9.0,
}


class Laboratory:
    def __init__(self):
        self.chosen = []

    def run(self, tasks):
        for name, (label, case, index, choice) in tasks:
            assert name == "choose" and CHOICES[label] == choice
            self.chosen.append((label, case, index))
            yield [SimpleNamespace(row=ROW)]


def test_every_row_is_made_on_all_clips_with_one_other_choice():
    laboratory, cases = Laboratory(), draw_object_edits(3, "dev", 0)
    rows = dict(study_regions(laboratory, cases))
    assert rows.keys() == CHOICES.keys()
    assert laboratory.chosen == [
        (label, case, index) for label in CHOICES for index, case in enumerate(cases)
    ]
    default, *others = (vars(choice) for choice in CHOICES.values())
    assert default == vars(Choice())
    for other in others:
        assert sum(default[name] != value for name, value in other.items()) == 1
    assert rows["default"]["subject_colour"].value == 0.5
    assert rows["default"]["centroid_px"].value == 2.0
