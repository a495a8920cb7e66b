import pytest

from tests.joint_model import save_joint_model


@pytest.fixture(scope="session")
def joint_weights(tmp_path_factory):
    """A model of the small world with joint attention and random weights."""
    folder = tmp_path_factory.mktemp("joint")
    save_joint_model(folder)
    return str(folder)
