import numpy as np
import torch

from jobs.evaluation.proof.own_data.material import SMALL, from_bytes, gather
from jobs.evaluation.proof.own_data.trainings import WITH, WITHOUT, Trainer
from pipelines.exports.edits import PublishedDataset
from pipelines.storage import Storage
from tests.jobs.evaluation.proof.own_data.rendered import write_dataset, write_folders


def test_a_folder_a_manifest_and_an_output_are_test_sets(tmp_path):
    dataset = PublishedDataset(Storage(write_dataset(tmp_path / "run")))
    folders = write_folders(tmp_path / "test")
    of_folders = gather(dataset, "meta.what.motion", folders, SMALL)
    of_manifest = gather(dataset, "label", f"{folders}/manifest.csv", SMALL)
    shapes = [tuple(part.shape) for part in (of_folders.clips, of_folders.edits, of_folders.tests)]
    assert shapes == [(12, 3, 8, 32, 32)] * 3
    assert of_folders.classes == of_manifest.classes == ["left", "right"]
    assert of_folders.clip_labels.tolist() == of_folders.edit_labels.tolist() == [0, 1] * 6
    assert sorted(of_folders.test_labels.tolist()) == [0] * 6 + [1] * 6
    assert of_manifest.test_labels.tolist() == [0, 1] * 6
    assert of_manifest.tests.sum() == of_folders.tests.sum()

    other = write_dataset(tmp_path / "other", count=6, first=40)
    of_output = gather(dataset, "label", other, SMALL)
    assert len(of_output.tests) == 6
    kept = from_bytes(of_output.as_bytes())
    assert kept.classes == of_output.classes and torch.equal(kept.tests, of_output.tests)


def test_training_with_edits_unlearns_the_shortcut_of_the_clips(tmp_path):
    dataset = PublishedDataset(Storage(write_dataset(tmp_path / "run")))
    material = gather(dataset, "label", write_folders(tmp_path / "test"), SMALL)
    train = Trainer(material, SMALL, 40)
    without, with_edits = (
        np.mean([digit == "1" for digit in train(arm, 0)]) for arm in (WITHOUT, WITH)
    )
    assert without < 0.3 and with_edits > 0.7
