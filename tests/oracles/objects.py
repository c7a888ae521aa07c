"""A second implementation of the metrics of objects: sets of pixels and plain loops, written from the definitions."""

import itertools
import math

import numpy as np

from limner.core.objects import number_objects


def segments(objects, valid):
    """Class, valid pixels and number of invalid ones of each object that has a pixel."""
    found = {}
    for place, class_id in enumerate(objects.classes.tolist(), 1):
        pixels = {tuple(map(int, index)) for index in np.argwhere(objects.ids == place)}
        if pixels:
            seen = {index for index in pixels if valid[index]}
            found[place] = (class_id, seen, len(pixels) - len(seen))
    return found


class Scene:
    """One picture with one class at a time."""

    def __init__(self, pred, target, valid=None, crowds=None):
        valid = np.ones(target.ids.shape, bool) if valid is None else valid.copy()
        for place, (_, seen, hidden) in segments(target, valid).items():
            if hidden > len(seen):
                valid[target.ids == place] = False
        self.pred = segments(pred, valid)
        self.true = {k: v for k, v in segments(target, valid).items() if v[1]}
        self.crowds = {} if crowds is None else {k for k in self.true if crowds[k - 1]}

    def of(self, class_id):
        """Pixels of predicted and true objects, those that are excused, and pixels of crowds."""
        pred = {k: seen for k, (c, seen, _) in self.pred.items() if c == class_id}
        true = {k: seen for k, (c, seen, _) in self.true.items() if c == class_id and k not in self.crowds}
        crowd = set().union(*(seen for k, (c, seen, _) in self.true.items() if c == class_id and k in self.crowds))
        excused = {
            k for k, seen in pred.items()
            if (self.pred[k][2] + len(seen & crowd)) / (self.pred[k][2] + len(seen)) > 0.5
        }  # fmt: skip
        return pred, true, excused

    def counts(self, class_id, iou, strict=False):
        """TP, FP, FN, sum of IoU with the largest number of pairs, tried one by one."""
        pred, true, excused = self.of(class_id)
        edges = {}
        for (p, a), (t, b) in itertools.product(pred.items(), true.items()):
            value = len(a & b) / len(a | b) if a | b else 0
            if value > iou if strict else value >= iou - 1e-9:
                edges.setdefault(t, []).append((value, p))
        partner = {}
        for t in edges:
            augment(t, edges, partner, set())
        total = sum(next(v for v, q in edges[t] if q == p) for p, t in partner.items())
        return len(partner), sum(p not in partner and p not in excused for p in pred), len(true) - len(partner), total

    def aji(self, class_id):
        """Shared pixels and pixels of unions of the aggregated Jaccard index."""
        pred, true, excused = self.of(class_id)
        inside, union, used = 0, 0, set()
        for seen in true.values():
            rated = [(len(seen & own) / len(seen | own), -p, p) for p, own in pred.items() if seen & own]
            if not rated:
                union += len(seen)
                continue
            best = max(rated)[2]
            used.add(best)
            inside += len(seen & pred[best])
            union += len(seen | pred[best])
        return inside, union + sum(len(own) for p, own in pred.items() if p not in used and p not in excused)

    def merges_and_splits(self, class_id):
        """Predicted objects with the larger part of several true ones, and the other way."""
        pred, true, _ = self.of(class_id)
        merges = sum(sum(2 * len(a & b) > len(b) for b in true.values()) > 1 for a in pred.values())
        splits = sum(sum(2 * len(a & b) > len(a) for a in pred.values()) > 1 for b in true.values())
        return merges, splits


def augment(t, edges, partner, seen):
    """An augmenting path of a bipartite matching (Kuhn's algorithm)."""
    for _, p in edges.get(t, ()):
        if p in seen:
            continue
        seen.add(p)
        if p not in partner or augment(partner[p], edges, partner, seen):
            partner[p] = t
            return True
    return False


def ratio(part, whole):
    return part / whole if whole else math.nan


def random_scene(seed, num_classes=3):
    """Prediction, truth, valid and crowds: touching, merged, split, missed, invented and shifted objects, empty pictures."""
    rng = np.random.default_rng(seed)
    height, width = (int(v) for v in rng.integers(17, 45, 2))
    ids, labels = np.zeros((height, width), np.int64), np.zeros((height, width), np.uint8)
    for k in range(1, 1 + (0 if seed % 17 == 3 else int(rng.integers(1, 16)))):
        top, left, tall, wide = rng.integers(0, height - 4), rng.integers(0, width - 4), *rng.integers(2, 13, 2)
        ids[top : top + tall, left : left + wide] = k
        labels[top : top + tall, left : left + wide] = rng.integers(1, num_classes + 1)
    target = number_objects(ids, labels)
    if seed % 13 == 5:
        found, answer = np.zeros_like(ids), np.zeros_like(labels)
    else:
        shift = tuple(int(v) for v in rng.integers(-1, 2, 2) * (rng.random(2) < 0.4))
        found, answer = np.roll(target.ids.astype(np.int64), shift, (0, 1)), np.roll(labels, shift, (0, 1))
        change(found, answer, len(target), rng, num_classes)
    scores = rng.choice(np.linspace(0.1, 1, 7), int(found.max()) + 1).astype(np.float32)
    valid = rng.random((height, width)) < 2 if seed % 4 else rng.random((height, width)) < 0.8
    if seed % 8 == 4:
        valid[:, : width // 3] = False
    return number_objects(found, answer, scores=scores), target, valid, rng.random(len(target)) < 0.2


def change(found, answer, number, rng, num_classes):
    """Merge, split, drop and invent objects and let one be taken for another class, all in place."""
    for k in range(1, number + 1):
        kind = rng.integers(0, 16)
        own = found == k
        if kind == 0:
            found[own] = 0
        elif kind in (1, 5, 6) and (found == k - 1).any() and k > 1:
            found[own], answer[own] = k - 1, answer[found == k - 1][0]
        elif kind == 2:
            found[own & (np.arange(found.shape[1]) < np.median(np.nonzero(own)[1]) if own.any() else own)] = 100 + k
        elif kind == 3:
            answer[own] = rng.integers(1, num_classes + 1)
        elif kind == 4:
            found[own & (rng.random(found.shape) < 0.3)] = 0
    for k in range(int(rng.integers(0, 3))):
        top, left = rng.integers(0, found.shape[0] - 3), rng.integers(0, found.shape[1] - 3)
        found[top : top + 3, left : left + 4], answer[top : top + 3, left : left + 4] = 200 + k, 1 + k % num_classes
    answer[found == 0] = 0
