"""From packed answers to scores, labels and objects: against brute force over all pixels, and the rules one by one."""

import numpy as np
import pytest

from limner.core.labels import LabelSpace
from limner.inference.query_decoder import QueryRules, class_scores, decode_queries

SPACE = LabelSpace(("background", "cell", "sky", "dog"), things=("cell", "dog"))
PLAIN = LabelSpace(("background", "cell"), things=("cell",))


def pack(masks, logits):
    queries, _, width = masks.shape
    rows = -(-logits.shape[1] // width)
    tail = np.zeros((queries, rows * width), np.float32)
    tail[:, : logits.shape[1]] = logits
    return np.concatenate([masks, tail.reshape(queries, rows, width)], 1).astype(np.float32)


def enlarged(mask, size_hw):
    """Bilinear with half-pixel centres, one pixel after the other."""
    height, width = mask.shape
    out = np.empty(size_hw)
    for row in range(size_hw[0]):
        for column in range(size_hw[1]):
            y = (row + 0.5) * height / size_hw[0] - 0.5
            x = (column + 0.5) * width / size_hw[1] - 0.5
            top, left = int(np.floor(y)), int(np.floor(x))
            total = 0.0
            for dy in (0, 1):
                for dx in (0, 1):
                    weight = abs(1 - dy - (y - top)) * abs(1 - dx - (x - left))
                    at = min(max(top + dy, 0), height - 1), min(max(left + dx, 0), width - 1)
                    total += weight * mask[at]
            out[row, column] = total
    return out


def softmax(logits):
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def brute_force(masks, logits, space, size_hw, rules):
    """The stated rules over whole native maps; labels, and the pixels, class and score of each object."""
    scores = softmax(logits.astype(float))
    counted = [q for q in range(len(masks)) if scores[q].argmax() < len(space) - 1 and scores[q].max() >= rules.score]
    counted = sorted(counted, key=lambda q: -scores[q].max())
    native = {q: enlarged(masks[q].astype(float), size_hw) for q in counted}
    while True:
        sure = np.full((len(counted), *size_hw), 0.0)
        for i, q in enumerate(counted):
            sure[i] = np.where(native[q] >= 0, sigmoid(native[q]) * scores[q].max(), 0)
        winner = np.where(sure.max(0) > 0, sure.argmax(0), -1) if counted else np.full(size_hw, -1)
        failing = []
        for i, q in enumerate(counted):
            area, own = (winner == i).sum(), (native[q] >= 0).sum()
            small = scores[q].argmax() + 1 in space.thing_ids and area < rules.min_area
            if area == 0 or area < rules.overlap * own or small:
                failing.append(i)
        if not failing:
            break
        del counted[failing[-1]]
    labels, found = np.zeros(size_hw, int), []
    for i, q in enumerate(counted):
        class_id = int(scores[q].argmax()) + 1
        labels[winner == i] = class_id
        if class_id in space.thing_ids:
            found.append((winner == i, class_id, float(sure[i][winner == i].mean())))
    return labels, sorted(found, key=lambda entry: int(entry[0].ravel().argmax()))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size_hw", [(23, 37), (8, 11), (5, 6)])
def test_decoding_is_what_the_rules_say(seed, size_hw):
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:8, :11]
    centers = rng.uniform(0, 8, (9, 2))
    masks = np.stack([rng.uniform(2, 4) - np.hypot(yy - y, xx - x) for y, x in centers]) + rng.normal(
        0, 0.3, (9, 8, 11)
    )
    logits = rng.normal(0, 2, (9, 4))
    rules = QueryRules(score=0.4, overlap=0.6, min_area=int(rng.integers(0, 6)))
    labels, objects = decode_queries(pack(masks, logits), SPACE, size_hw, rules)
    expected, found = brute_force(masks, logits, SPACE, size_hw, rules)
    assert np.array_equal(labels, expected) and len(objects) == len(found)
    for number, (pixels, class_id, score) in enumerate(found, 1):
        assert np.array_equal(objects.ids == number, pixels)
        assert objects.classes[number - 1] == class_id
        assert float(objects.scores[number - 1]) == pytest.approx(score, abs=1e-5)


def sure_of(class_ids, num_classes=3, high=9.0):
    logits = np.zeros((len(class_ids), num_classes + 1))
    for query, class_id in enumerate(class_ids):
        logits[query, class_id - 1 if class_id else num_classes] = high
    return logits


def test_overlapping_objects_are_two_and_the_surer_one_lies_in_front():
    masks = np.full((3, 6, 9), -8.0)
    masks[0, 1:5, 0:5], masks[1, 1:5, 4:9] = 4.0, 6.0  # they share a column
    masks[2, :, :] = 7.0  # says nothing
    labels, objects = decode_queries(pack(masks, sure_of([1, 1, 0])), SPACE, (6, 9))
    assert objects.areas().tolist() == [16, 20] and set(np.unique(labels)) == {0, 1}
    assert (objects.ids[1:5, 4] == 2).all() and (objects.class_map() == labels).all()


def test_pixels_of_what_is_given_up_go_to_those_that_remain():
    masks = np.full((3, 4, 9), -8.0)
    masks[0, :, 0:5] = 3.0
    masks[1, :, 4:9] = 3.0
    masks[2, :, 3:6] = 6.0  # the surest of its pixels, but less sure of its class
    logits = sure_of([1, 1, 1])
    logits[2] = [1.5, 0, 0, 0]
    _, objects = decode_queries(pack(masks, logits), SPACE, (4, 9), QueryRules(score=0.5))
    # query 2 wins its three columns only by its mask; with 0.6 x 1 it loses to 1.0 x 0.95, keeps nothing and goes
    assert objects.areas().tolist() == [20, 16]
    masks[0, :, 0:5] = masks[1, :, 4:9] = 0.1  # now it wins all three, and both others lose too much
    _, objects = decode_queries(pack(masks, logits), SPACE, (4, 9), QueryRules(score=0.5))
    assert objects.areas().tolist() == [12] and objects.ids[0].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0]


def test_stuff_of_one_class_is_joined_and_small_stuff_is_void():
    masks = np.full((3, 5, 9), -8.0)
    masks[0, :, 0:2], masks[1, 0:2, 7:9], masks[2, 4, 8] = 5.0, 5.0, 5.0
    packed = pack(masks, sure_of([2, 2, 2]))
    labels, objects = decode_queries(packed, SPACE, (5, 9))
    assert len(objects) == 0 and (labels == 2).sum() == 15
    labels, _ = decode_queries(packed, SPACE, (5, 9), QueryRules(min_stuff=5))
    assert (labels == 2).sum() == 10 and (labels[:, 7:] == 0).all()


def test_small_objects_leave_their_pixels_to_the_stuff_behind():
    masks = np.full((2, 5, 9), -8.0)
    masks[0], masks[1, 2, 3:5] = 3.0, 9.0
    packed = pack(masks, sure_of([2, 3]))
    labels, objects = decode_queries(packed, SPACE, (5, 9))
    assert objects.areas().tolist() == [2] and (labels == 3).sum() == 2
    labels, objects = decode_queries(packed, SPACE, (5, 9), QueryRules(min_area=3))
    assert len(objects) == 0 and (labels == 2).all()


@pytest.mark.parametrize("logits", [sure_of([0, 0]), np.zeros((2, 4))])
def test_nothing_found_is_background(logits):
    labels, objects = decode_queries(pack(np.full((2, 4, 5), 3.0), logits), SPACE, (7, 5))
    assert not labels.any() and len(objects) == 0 and labels.dtype == np.uint8 and objects.ids.shape == (7, 5)
    assert class_scores(pack(np.full((2, 4, 5), 3.0), sure_of([0, 0])), SPACE, (7, 5))[0].min() > 0.99


def test_scores_are_the_published_sum():
    rng = np.random.default_rng(5)
    masks, logits = rng.normal(0, 2, (7, 6, 5)), rng.normal(0, 2, (7, 4))
    small = np.einsum("qk,qhw->khw", softmax(logits)[:, :3], sigmoid(masks))
    scores = class_scores(pack(masks, logits), SPACE, (6, 5))
    left = np.maximum(1 - small.sum(0), 0)
    expected = np.concatenate([left[None], small]) / np.maximum(small.sum(0), 1)
    assert np.allclose(scores, expected, atol=1e-5) and np.allclose(scores.sum(0), 1, atol=1e-5)
    large = class_scores(pack(masks, logits), SPACE, (13, 9))
    assert np.allclose(large[2], enlarged(expected[2], (13, 9)), atol=1e-5)
    two = class_scores(pack(masks, logits[:, [0, 3]]), PLAIN, (6, 5))
    both = np.einsum("q,qhw->hw", softmax(logits[:, [0, 3]])[:, 0], sigmoid(masks))
    assert two.shape == (1, 6, 5) and np.allclose(two[0], np.minimum(both, 1), atol=1e-5)


def test_many_classes_need_a_wider_type():
    space = LabelSpace(tuple(f"c{i}" for i in range(300)), things=("c299",))
    logits = np.zeros((1, 300))
    logits[0, 298] = 20
    labels, objects = decode_queries(pack(np.full((1, 3, 4), 2.0), logits), space, (5, 7))
    assert labels.dtype == np.uint16 and (labels == 299).all() and objects.classes.tolist() == [299]


def test_the_published_implementation_finds_the_same_where_masks_are_sure():
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers", reason="pip install transformers")
    from transformers import Mask2FormerImageProcessorPil
    from transformers.models.mask2former.modeling_mask2former import Mask2FormerForUniversalSegmentationOutput

    rng = np.random.default_rng(2)
    yy, xx = np.mgrid[:24, :24]
    masks = np.stack([
        np.where(np.hypot(yy - y, xx - x) < r, 9.0, -9.0)
        for y, x, r in zip(rng.uniform(0, 24, 8), rng.uniform(0, 24, 8), rng.uniform(3, 8, 8), strict=True)
    ])  # fmt: skip
    logits = rng.normal(0, 1, (8, 4))
    logits[np.arange(8), rng.integers(0, 4, 8)] += rng.uniform(4, 8, 8)
    output = Mask2FormerForUniversalSegmentationOutput(
        class_queries_logits=torch.from_numpy(logits[None]).float(),
        masks_queries_logits=torch.from_numpy(masks[None]).float(),
    )
    theirs = Mask2FormerImageProcessorPil().post_process_panoptic_segmentation(
        output, threshold=0.5, overlap_mask_area_threshold=0.0, label_ids_to_fuse={1}, target_sizes=[(384, 384)]
    )[0]
    labels, objects = decode_queries(pack(masks, logits), SPACE, (384, 384), QueryRules(score=0.5, overlap=0.0))
    table = {0: 0, -1: 0} | {entry["id"]: entry["label_id"] + 1 for entry in theirs["segments_info"]}
    published = np.vectorize(table.get)(theirs["segmentation"].numpy().astype(int))
    covered = labels > 0  # that package also deals out pixels where no mask holds, which the paper leaves empty
    assert 0.3 < covered.mean() < 0.9
    assert np.mean(published[covered] != labels[covered]) < 0.01  # it interpolates scores, not logits: rims differ
    assert len(objects) == sum(entry["label_id"] != 1 for entry in theirs["segments_info"]) > 1
