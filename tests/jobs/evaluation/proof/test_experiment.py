import pytest

from jobs.evaluation.proof.experiment import record, refuse_another
from pipelines.errors import RunError
from pipelines.storage import Storage

EXPERIMENT = {"seed": 3, "sizes": {"clips": 8, "seeds": [1, 2]}, "label": "motion"}


def test_the_same_experiment_continues_and_another_is_refused_by_what_differs(tmp_path):
    output = Storage(str(tmp_path))
    refuse_another(output, EXPERIMENT)
    record(output, EXPERIMENT)
    refuse_another(output, EXPERIMENT)
    other = EXPERIMENT | {"sizes": {"clips": 8, "seeds": [1]}, "label": "colour"}
    with pytest.raises(RunError, match="holds an experiment with another sizes, label: repeat"):
        refuse_another(output, other)
