from pipelines import ids

CLIP = {"clip_id": "c", "source_prompt": "a cat", "mask": None, "targets": [{"prompt": "a dog"}]}
PLACES = ("subject", "background", "all")
MASK = [{"size": [2, 2], "counts": "04"}]


def edit_id(clip=CLIP, target="a dog", editor="e", revision="r", seed=None, where="subject"):
    return ids.edit_id(clip, target, {"name": editor}, revision, seed, where)


def test_ids_are_the_same_on_every_machine():
    """The values are pinned, because a change would invalidate every existing dataset."""
    assert ids.content_id(a=1, b=["x", None]) == "18c018603b12c4beed8593acb6ad65cd"
    assert edit_id() == edit_id(dict(reversed(CLIP.items())))


def test_every_input_of_an_edit_changes_its_id():
    variants = [
        edit_id(),
        edit_id(CLIP | {"clip_id": "d"}),
        edit_id(CLIP | {"source_prompt": "a cow"}),
        edit_id(CLIP | {"mask": MASK}),
        edit_id(target="a fox"),
        edit_id(editor="f"),
        edit_id(revision="s"),
        edit_id(seed=0),
        edit_id(seed=1),
        edit_id(where="background"),
        edit_id(where="all"),
    ]
    assert len(set(variants)) == len(variants)
    assert edit_id(CLIP | {"targets": [{"prompt": "a fox"}]}) == edit_id()


def test_targets_of_the_subject_keep_the_ids_of_targets_without_a_place():
    assert edit_id() == edit_id(where=None)
    placed = [CLIP | {"targets": [{"prompt": "a dog", "where": at}]} for at in PLACES]
    assert ids.clip_row_id(placed[0]) == ids.clip_row_id(CLIP)
    assert len({ids.clip_row_id(clip) for clip in placed}) == 3


def test_a_clip_row_id_depends_on_the_annotations():
    assert ids.clip_row_id(CLIP) != ids.clip_row_id(CLIP | {"targets": [{"prompt": "a fox"}]})
    assert ids.clip_row_id(CLIP) != ids.clip_row_id(CLIP | {"targets": None})  # failed
    assert ids.clip_row_id(CLIP) != ids.clip_row_id(CLIP | {"mask": MASK})


def test_a_manifest_id_replaces_the_uri():
    named = {"source_id": "7", "source_uri": "a.mp4"}
    assert ids.source_key(named, "10") == ids.source_key(named | {"source_uri": "b.mp4"}, "11")
    plain = named | {"source_id": None}
    assert ids.source_key(plain, "10") != ids.source_key(plain, "11")


def test_a_source_row_id_depends_on_the_given_values_only():
    given = {"source_id": None, "source_uri": "a.mp4", "caption": "a cat", "location": "/x/a.mp4"}
    assert ids.source_row_id(given) == ids.source_row_id(given | {"location": "/y/a.mp4"})
    assert ids.source_row_id(given) != ids.source_row_id(given | {"caption": "a dog"})


def test_objects_are_part_of_a_clip_row_id_if_there_are_several():
    dog, cat = {"words": "dog", "mask": MASK}, {"words": "cat", "mask": MASK}
    assert ids.clip_row_id(CLIP | {"objects": None}) == ids.clip_row_id(CLIP)
    assert ids.clip_row_id(CLIP | {"objects": [dog]}) == ids.clip_row_id(CLIP)
    several = [[dog, cat], [cat, dog], [dog, cat | {"mask": None}], [dog, dog]]
    found = {ids.clip_row_id(CLIP | {"objects": each}) for each in (None, *several)}
    assert len(found) == 5
