"""The set loss of query masks: matched as exhaustive search would, told what it should be, silent where nothing is known."""

import itertools

import numpy as np
import pytest
import torch

from limner.core.errors import ShapeError
from limner.losses.query_masks import match, query_loss, segments_of, supervised_query_loss

pytest.importorskip("scipy", reason="pip install scipy")
H, W = 10, 21  # of the labels; masks have 5 x 7 cells, the cells 2 x 3 pixels
CELLS = (5, 7)


def scene():
    """Two objects of class 1 that touch, one of class 3, stuff of class 2, and background."""
    target, ids = torch.zeros(1, H, W, dtype=torch.int64), torch.zeros(1, H, W, dtype=torch.int32)
    target[0, 2:6, 3:9], ids[0, 2:6, 3:9] = 1, 4
    target[0, 2:6, 9:15], ids[0, 2:6, 9:15] = 1, 9
    target[0, 8:10, 0:3], ids[0, 8:10, 0:3] = 3, 2
    target[0, 0:2, 12:21] = 2
    return target, torch.ones(1, H, W, dtype=torch.bool), ids


def perfect(segments, num_classes, queries, order, sure=12.0):
    """A packed answer in which query ``order[i]`` says segment i, and the others say nothing."""
    masks = torch.full((queries, CELLS[0] * CELLS[1]), -sure)
    logits = torch.zeros(queries, num_classes + 1)
    logits[:, num_classes] = sure
    for i, query in enumerate(order):
        masks[query] = torch.where(segments.cover[i] > 0.5, sure, -sure)
        logits[query] = 0
        logits[query, segments.classes[i]] = sure
    width = CELLS[1]
    rows = torch.zeros(queries, -(-(num_classes + 1) // width) * width)
    rows[:, : num_classes + 1] = logits
    return torch.cat([masks.reshape(queries, *CELLS), rows.reshape(queries, -1, width)], 1)[None]


def segments(things=(1, 3)):
    target, valid, ids = scene()
    return segments_of(target[0], valid[0], ids[0], CELLS, things=things)


def test_segments_are_objects_and_classes_of_stuff():
    found = segments()
    assert found.classes.tolist() == [1, 2, 0, 0] and found.cover.shape == (4, 35)  # stuff first, then by id: 2, 4, 9
    assert found.cover.sum(1).tolist() == pytest.approx([3, 1, 4, 4])  # cells; both objects of class 1 are 4 x 6 pixels
    assert found.known.tolist() == [1.0] * 35


def test_without_things_a_class_is_one_segment():
    found = segments(things=())
    assert sorted(found.classes.tolist()) == [0, 1, 2]
    assert found.cover[found.classes == 0].sum() == pytest.approx(8)


def test_cover_is_the_mean_of_the_valid_pixels_of_a_cell():
    rng = np.random.default_rng(3)
    target = torch.from_numpy(rng.integers(0, 3, (H, W)))
    valid = torch.from_numpy(rng.random((H, W)) < 0.6)
    found = segments_of(target, valid, torch.zeros(H, W, dtype=torch.int32), CELLS, things=())
    for i, class_id in enumerate((found.classes + 1).tolist()):
        for cell in range(35):
            y, x = divmod(cell, 7)
            at = (slice(2 * y, 2 * y + 2), slice(3 * x, 3 * x + 3))
            inside = ((target[at] == class_id) & valid[at]).sum() / max(1, int(valid[at].sum()))
            assert float(found.cover[i, cell]) == pytest.approx(float(inside))
            assert float(found.known[cell]) == pytest.approx(float(valid[at].float().mean()))


def test_pixels_of_a_thing_without_an_object_are_not_known():
    target, valid, ids = scene()
    ids[0][ids[0] == 9] = 0  # a crowd
    found = segments_of(target[0], valid[0], ids[0], CELLS, things=(1, 3))
    assert found.classes.tolist() == [1, 2, 0] and (found.known == 0).sum() == 4


def test_the_perfect_answer_costs_almost_nothing_and_order_is_of_no_consequence():
    target, valid, ids = scene()
    losses = [
        float(query_loss(perfect(segments(), 3, 6, order), target, valid, ids, num_classes=3, things=(1, 3)))
        for order in ([0, 1, 2, 3], [5, 2, 0, 3], [3, 1, 5, 0])
    ]
    assert max(losses) < 1e-2 and losses == pytest.approx([losses[0]] * 3, abs=1e-6)


def test_every_mistake_costs_more():
    target, valid, ids = scene()

    def loss(packed):
        return float(query_loss(packed, target, valid, ids, num_classes=3, things=(1, 3)))

    best = perfect(segments(), 3, 6, [0, 1, 2, 3])
    merged, other_class, doubled, moved = (best.clone() for _ in range(4))
    merged[0, 2, :5] = torch.maximum(best[0, 2, :5], best[0, 3, :5])
    other_class[0, 2, 5, :4] = best[0, 0, 5, :4]
    doubled[0, 4] = best[0, 1]
    moved[0, 1, :5] = best[0, 1, :5].roll(1, 0)
    for worse in (merged, other_class, doubled, moved):
        assert loss(worse) > loss(best) + 0.05


def test_matching_is_the_cheapest_of_all():
    found = segments()
    torch.manual_seed(0)
    masks, logits = torch.randn(5, 35) * 3, torch.randn(5, 4) * 2
    queries, chosen = match(masks, logits, found)

    def cost(query, segment):  # by hand, pixel after pixel
        p, t = masks[query].sigmoid(), found.cover[segment]
        entropy = -(t * p.log() + (1 - t) * (1 - p).log()).mean()
        dice = 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
        return float(5 * entropy + 5 * dice - 2 * logits[query].softmax(0)[found.classes[segment]])

    pairs = [(q, s) for q, s in zip(queries.tolist(), chosen.tolist(), strict=True)]
    least = min(sum(cost(q, s) for s, q in enumerate(order)) for order in itertools.permutations(range(5), 4))
    assert len(pairs) == 4 and sum(cost(q, s) for q, s in pairs) == pytest.approx(least, abs=1e-4)


def test_the_value_is_what_the_formula_says():
    target, valid, ids = scene()
    torch.manual_seed(1)
    packed = torch.randn(1, 5, 6, 7)
    found = segments()
    masks, logits = packed[0, :, :5].flatten(1), packed[0, :, 5, :4]
    queries, chosen = match(masks, logits, found)
    wanted = torch.full((5,), 3)
    wanted[queries] = found.classes[chosen]
    weight = torch.where(wanted == 3, 0.1, 1.0)
    chance = logits.softmax(1)[torch.arange(5), wanted]
    expected = 2 * float((weight * -chance.log()).sum() / weight.sum())
    for query, segment in zip(queries.tolist(), chosen.tolist(), strict=True):
        p, t = masks[query].sigmoid(), found.cover[segment]
        entropy = -(t * p.log() + (1 - t) * (1 - p).log()).mean()
        expected += float(5 * entropy + 5 * (1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1))) / 4
    loss = query_loss(packed, target, valid, ids, num_classes=3, things=(1, 3))
    assert float(loss) == pytest.approx(expected, rel=1e-5) and loss.dtype == torch.float32


def test_gradients_reach_matched_masks_and_all_classes_and_no_unknown_cell():
    target, valid, ids = scene()
    valid[0, :, 15:] = False
    torch.manual_seed(2)
    packed = torch.randn(1, 6, 6, 7, requires_grad=True)
    query_loss(packed, target, valid, ids, num_classes=3, things=(1, 3)).backward()
    gradient = packed.grad[0]
    assert (gradient[:, 5, :4].abs().sum(1) > 0).all() and (gradient[:, 5, 4:] == 0).all()
    assert (gradient[:, :5, 5:] == 0).all()  # columns 15 and on are not known
    assert int((gradient[:, :5, :5].abs().sum((1, 2)) > 0).sum()) == 4


def test_gradients_are_those_of_finite_differences():
    target, valid, ids = scene()
    valid[0, 3, :] = False
    torch.manual_seed(4)
    packed = perfect(segments(), 3, 5, [0, 1, 2, 3], sure=1.0) + 0.3 * torch.randn(1, 5, 6, 7)
    packed.requires_grad_(True)
    query_loss(packed, target, valid, ids, num_classes=3, things=(1, 3)).backward()
    for at in ((0, 0, 0, 5), (0, 1, 2, 2), (0, 3, 1, 4), (0, 4, 5, 3), (0, 2, 5, 0)):
        change = torch.zeros_like(packed)
        change[at] = 1e-2
        with torch.no_grad():
            up, down = (
                float(query_loss(packed + sign * change, target, valid, ids, num_classes=3, things=(1, 3)))
                for sign in (1, -1)
            )
        assert (up - down) / 2e-2 == pytest.approx(float(packed.grad[at]), abs=2e-3)


def test_an_empty_picture_tells_all_queries_that_they_show_nothing():
    packed = torch.randn(2, 4, 6, 7, requires_grad=True)
    nothing = torch.zeros(2, H, W, dtype=torch.int64)
    loss = query_loss(packed, nothing, torch.ones_like(nothing, dtype=torch.bool), nothing, num_classes=3, things=(1,))
    loss.backward()
    chance = packed.detach()[:, :, 5, :4].log_softmax(2)[..., 3]
    assert float(loss.detach()) == pytest.approx(2 * float(-chance.mean()), rel=1e-5)
    assert (packed.grad[:, :, 5, 3] < 0).all() and (packed.grad[:, :, :5] == 0).all()


def test_where_nothing_is_known_nothing_is_learned():
    target, valid, ids = scene()
    packed = torch.randn(1, 4, 6, 7, requires_grad=True)
    loss = query_loss(packed, target, torch.zeros_like(valid), ids, num_classes=3)
    loss.backward()
    assert float(loss.detach()) == 0 and packed.grad.shape == packed.shape and not packed.grad.any()
    both = torch.randn(2, 4, 6, 7)
    doubled = [torch.cat([tensor, tensor]) for tensor in (target, valid, ids)]
    doubled[1][1] = False
    alone = query_loss(both[:1], target, valid, ids, num_classes=3)
    assert float(query_loss(both, *doubled, num_classes=3)) == pytest.approx(float(alone))


def test_more_segments_than_queries():
    target, valid, ids = scene()
    packed = perfect(segments(), 3, 6, [0, 1, 2, 3])[:, :2]
    loss = query_loss(packed, target, valid, ids, num_classes=3, things=(1, 3))
    assert torch.isfinite(loss) and float(loss) < 1e-2  # both say what they show; nobody is left for the others


def test_layers_are_meant_and_bfloat16_is_summed_in_float32():
    target, valid, ids = scene()
    levels = [torch.randn(1, 5, 6, 7), torch.randn(1, 5, 6, 7)]
    each = [float(query_loss(level, target, valid, ids, num_classes=3)) for level in levels]
    assert float(supervised_query_loss(levels, target, valid, ids, num_classes=3)) == pytest.approx(sum(each) / 2)
    half = query_loss(levels[0].bfloat16(), target, valid, ids, num_classes=3)
    assert half.dtype == torch.float32 and float(half) == pytest.approx(each[0], rel=0.05)
    with pytest.raises(ShapeError, match="no answers"):
        supervised_query_loss([], target, valid, ids, num_classes=3)
    with pytest.raises(ShapeError, match="packed"):
        query_loss(levels[0][:, :, :1], target, valid, ids, num_classes=3)
