import pytest

from tests.scale.memory import annotators, growth


@pytest.mark.slow
def test_the_memory_of_a_worker_does_not_grow_with_the_clips(tmp_path):
    for annotator in annotators(tmp_path).values():
        assert growth(annotator, early=5, late=20)["growth"] < 0.05
