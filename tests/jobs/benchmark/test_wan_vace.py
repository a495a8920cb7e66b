import pytest

from jobs.benchmark.wan_vace import project


@pytest.mark.slow
def test_the_projection_has_the_published_weights_and_grows_with_the_clip():
    small, large = project(5, 64, 64), project(9, 64, 128)
    # umT5-XXL's encoder is published with 11.36 GB of bfloat16, the autoencoder with 127 million
    # weights.
    assert small["weights of the text encoder"] == pytest.approx(11.36e9, rel=0.01)
    assert small["weights of the autoencoder"] == pytest.approx(2 * 127e6, rel=0.01)
    assert small["text encoding"] == large["text encoding"]
    assert small["denoising"] < large["denoising"]
    for part in ("encoding", "decoding"):  # twice the width, and frame by frame
        assert 1.3 < large[part] / small[part] < 3
    assert large["decoding in tiles"] <= large["decoding"]
