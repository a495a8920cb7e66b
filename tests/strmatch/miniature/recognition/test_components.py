import cv2
import torch
import torch.nn.functional as F

from strmatch.miniature.recognition.components import largest_component, spread


def test_spread_equals_max_pooling():
    values = torch.rand(3, 9, 7)
    pooled = F.max_pool2d(values[:, None], 3, stride=1, padding=1)[:, 0]
    assert torch.equal(spread(values), pooled)


def test_components_equal_those_of_opencv():
    generator = torch.Generator().manual_seed(0)
    blobs = F.interpolate(torch.randn(20, 1, 12, 12, generator=generator), size=48)[:, 0]
    masks = (blobs + 0.5 * torch.randn(20, 48, 48, generator=generator)) > 0.9
    component, first, second = largest_component(masks)
    for index, mask in enumerate(masks):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.byte().numpy(), connectivity=8)
        areas = [*sorted(stats[1:, cv2.CC_STAT_AREA].tolist(), reverse=True), 0, 0]
        assert [int(first[index]), int(second[index])] == areas[:2]
        assert int(component[index].sum()) == areas[0]
        if areas[0] > areas[1]:
            largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            assert torch.equal(component[index], torch.from_numpy(labels == largest))


def test_an_empty_mask_has_no_component():
    component, first, second = largest_component(torch.zeros(2, 16, 16, dtype=torch.bool))
    assert not component.any() and not first.any() and not second.any()
