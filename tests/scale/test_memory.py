from tests.scale.memory import annotators, growth


def test_a_worker_does_not_grow_from_clip_to_clip(tmp_path):
    for annotator in annotators(tmp_path).values():
        assert growth(annotator, early=5, late=20)["growth"] < 0.05
