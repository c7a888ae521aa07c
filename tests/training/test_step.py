"""One step: parts, clipping, levels, a compiled network."""

import functools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from limner.core.errors import MachineError
from limner.core.recipe_parts import LossPart
from limner.losses import compound_loss
from limner.models import build
from limner.training.distributed import Crew
from limner.training.loader import Batch
from limner.training.loop import train
from limner.training.optimize import make_optimizer
from limner.training.place import Place
from limner.training.step import Learner, seed_step, smaller_parts
from tests.training import runs

TRACED = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor", "ignore::DeprecationWarning")


class Small(nn.Module):
    """Two convolutions; batch norm and levels where asked for."""

    def __init__(self, *, norm=False, deep_supervision=False):
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv2d(3, 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(5) if norm else nn.Identity()
        self.head = nn.Conv2d(5, 1, 1)
        coarse = nn.Conv2d(5, 1, 1)
        self.level_heads = nn.ModuleList([coarse] if deep_supervision else [])

    def forward(self, x):
        return self.head(F.relu(self.norm(self.first(x))))

    def forward_levels(self, x):
        y = F.relu(self.norm(self.first(x)))
        return [self.head(y), self.level_heads[0](F.avg_pool2d(y, 2, ceil_mode=True))]


def batch(size=5, all_valid=True):
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(size, 3, 5, 7, generator=generator).numpy()
    target = (torch.rand(size, 5, 7, generator=generator) < 0.4).long().numpy()
    valid = (torch.rand(size, 5, 7, generator=generator) < (2.0 if all_valid else 0.7)).numpy()
    return Batch(images, target, valid)


def learner(network=None, place=None, **settings):
    recipe = runs.recipe(**({"sampling__batch": 5, "optimizer__ema": 0.0} | settings))
    network = network or Small()
    crew = Crew(Place(), bfloat16=False)
    return Learner(crew, network, make_optimizer(network, recipe.optimizer, pretrained=False), None, recipe)


def gradients(one, data):
    loss = one.gradients(data, step=3)
    return loss, {name: p.grad.clone() for name, p in one.network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("parts", [2, 3, 5, 9])
def test_parts_give_the_gradient_of_the_whole_batch(parts):
    """Five patches in 2, 3 or 5 parts of unequal size, for losses that are means over patches."""
    settings = {"loss__cross_entropy": 0.7, "loss__dice": 1.3}  # every patch shows the one class
    whole, grads = gradients(learner(**settings), batch())
    loss, split = gradients(learner(optimizer__accumulate=parts, **settings), batch())
    assert loss == pytest.approx(whole, rel=1e-6)
    for name, grad in grads.items():
        assert torch.allclose(split[name], grad, rtol=1e-5, atol=1e-7), name
    assert any(not torch.equal(split[name], grad) for name, grad in grads.items())  # it was not done in one go


def test_parts_are_another_number_where_pixels_are_unknown_or_overlaps_are_pooled():
    """What the module says does not hold: a mean over valid pixels is taken in each part, and so is a pooled overlap."""
    data = batch(all_valid=False)
    whole, _ = gradients(learner(loss__dice=0.0), data)
    loss, _ = gradients(learner(loss__dice=0.0, optimizer__accumulate=5), data)
    logits = Small()(torch.from_numpy(data.images))
    target, valid = torch.from_numpy(data.target), torch.from_numpy(data.valid)
    by_hand = [
        float(compound_loss(logits[i : i + 1], target[i : i + 1], valid[i : i + 1], LossPart(dice=0.0)).detach())
        for i in range(5)
    ]
    assert loss == pytest.approx(sum(by_hand) / 5, rel=1e-6) and loss != pytest.approx(whole, rel=1e-4)
    pooled = {"loss__cross_entropy": 0.0, "loss__dice_pooling": "batch"}
    assert gradients(learner(**pooled), batch())[0] != pytest.approx(
        gradients(learner(optimizer__accumulate=5, **pooled), batch())[0], rel=1e-4
    )


def test_the_norm_is_clipped_and_zero_means_not_at_all():
    def change(clip):
        network = Small()
        before = [p.detach().clone() for p in network.parameters()]
        one = learner(network, optimizer__name="sgd", optimizer__momentum=0.0, optimizer__weight_decay=0.0,
                      optimizer__learning_rate=1.0, optimizer__clip_norm=clip, loss__dice=30.0)  # fmt: skip
        one.gradients(batch(), 0)
        one.update(1.0)
        return (
            float(sum((p.detach() - old).square().sum() for p, old in zip(network.parameters(), before, strict=True)))
            ** 0.5
        )

    free = change(0.0)
    assert free > 0.5 and change(0.25) == pytest.approx(0.25, rel=1e-4) and change(1e9) == pytest.approx(free)


def test_the_rate_is_the_peak_times_the_factor():
    network = Small()
    before = network.head.bias.detach().clone()
    one = learner(
        network, optimizer__name="sgd", optimizer__momentum=0.0, optimizer__learning_rate=2.0, optimizer__clip_norm=0.0
    )
    one.gradients(batch(), 0)
    slope = network.head.bias.grad.clone()
    one.update(0.25)
    assert torch.allclose(network.head.bias.detach(), before - 0.5 * slope)


def test_levels_are_supervised_where_the_network_has_them():
    deep, flat = Small(deep_supervision=True), Small()
    loss, grads = gradients(learner(deep, loss__deep_supervision=0.5), batch())
    plain, others = gradients(learner(flat, loss__deep_supervision=0.5), batch())
    assert loss != plain and "level_heads.0.weight" in grads and len(grads) == len(others) + 2
    with torch.no_grad():
        fine, coarse = deep.forward_levels(torch.from_numpy(batch().images))
    target, valid = torch.from_numpy(batch().target), torch.from_numpy(batch().valid)
    rows, columns = torch.tensor([0, 2, 4]), torch.tensor([0, 2, 4, 6])  # nearest to the centres of 3 x 4 of 5 x 7
    small = [maps[:, rows][:, :, columns] for maps in (target, valid)]
    expected = compound_loss(fine, target, valid, LossPart()) / 1.5 + compound_loss(coarse, *small, LossPart()) / 3
    assert loss == pytest.approx(float(expected), rel=1e-6)
    assert gradients(learner(Small(deep_supervision=True), loss__deep_supervision=0.0), batch())[0] == pytest.approx(
        plain
    )


@pytest.mark.parametrize("architecture", ["unet", "unetpp"])
def test_the_heads_of_real_networks_learn(tmp_path, architecture):
    arguments = {"encoder": "plain", "encoder_widths": (4, 5, 6), "deep_supervision": True}
    network = build(architecture, arguments, channels=3, maps=1)
    before = {name: value.clone() for name, value in network.state_dict().items() if "level_heads" in name}
    run, _ = runs.make_run(tmp_path, runs.recipe(schedule__steps=2), model=network)
    train(run, resume=False)
    after = network.state_dict()
    assert before and all(not torch.equal(after[name], value) for name, value in before.items())


@TRACED
def test_a_compiled_network_keeps_its_names_and_its_weights(tmp_path, monkeypatch):
    compiled = []

    def compile_here(module, **options):
        compiled.append(module)
        return eager(module, **options)

    eager = functools.partial(torch.compile, backend="eager")  # traced, but no machine code: needs no compiler
    outcomes = []
    for number, wanted in enumerate((False, True)):
        if wanted:
            monkeypatch.setattr(torch, "compile", compile_here)
        run, _ = runs.make_run(tmp_path / str(number), runs.recipe(optimizer__compile=wanted, schedule__steps=3))
        train(run, resume=False)
        outcomes.append(runs.weights(tmp_path / str(number)))
    assert {id(module) for module in compiled} == {id(run.model)} and outcomes[0] == outcomes[1]


@TRACED
def test_a_compiler_that_fails_is_named(tmp_path, monkeypatch):
    def broken(graph, inputs):
        raise OSError("no compiler here")

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=broken))
    run, _ = runs.make_run(tmp_path, runs.recipe(optimizer__compile=True))
    with pytest.raises(MachineError, match=r"torch.compile failed.*") as caught:
        train(run, resume=False)
    assert "no compiler here" in caught.value.found and "optimizer.compile=false" in caught.value.fix


def test_random_numbers_differ_between_steps_and_processes():
    drawn = set()
    for step, rank in ((0, 0), (1, 0), (0, 1), (1, 1)):
        seed_step(7, step, rank)
        drawn.add(float(torch.rand(())))
    seed_step(7, 1)
    assert len(drawn) == 4 and float(torch.rand(())) in drawn


class Hungry(Small):
    """Memory runs out in the forward pass, after the norm has moved its statistics, while a part is larger than `room`."""

    def __init__(self, room, kind, times=99):
        super().__init__(norm=True)
        self.room, self.kind, self.times = room, kind, times

    def forward(self, x):
        y = super().forward(x)
        if self.training and len(x) > self.room and self.times:
            self.times -= 1
            raise self.kind
        return y


CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:1] err == 0. DefaultCPUAllocator: can't allocate memory: you tried")
KINDS = [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), CPU, MemoryError()]


def hungry_run(folder, network, **settings):
    recipe = runs.recipe(sampling__batch=4, schedule__steps=6, optimizer__ema=0.0, **settings)
    notes, halved = runs.Notes(), []
    run, log = runs.make_run(
        folder, recipe, model=network, listener=notes, halved=lambda parts, reason: halved.append((parts, reason))
    )
    return run, log, notes, halved


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_when_memory_runs_out_the_same_step_is_done_in_halves(tmp_path, kind):
    """The weights are those of a run that was told to use two parts from the start: nothing is skipped, nothing done twice."""
    run, log, notes, halved = hungry_run(tmp_path / "hungry", Hungry(2, kind))
    progress = train(run, resume=False)
    told, _, _, _ = hungry_run(tmp_path / "told", Hungry(2, kind), optimizer__accumulate=2)
    assert train(told, resume=False).history[-1]["train_loss"] == progress.history[-1]["train_loss"]
    assert runs.weights(tmp_path / "hungry") == runs.weights(tmp_path / "told")
    assert halved == [(2, "memory ran out at step 0 with 4 patches at once")]
    assert [(e["step"], e["accumulate"]) for e in log if e["event"] == "memory"] == [(0, 2)]
    told = [text for text in notes.messages if "memory" in text]
    assert len(told) == 1 and "optimizer.accumulate = 2" in told[0]


def test_statistics_of_batch_norm_move_once_for_each_step(tmp_path):
    network = Hungry(2, CPU, times=1)
    run, _, _, _ = hungry_run(tmp_path, network)
    train(run, resume=False)
    assert int(network.norm.num_batches_tracked) == 6 * 2  # two parts a step, the failed pass undone


def test_a_second_failure_says_what_to_lower(tmp_path):
    run, _, _, halved = hungry_run(tmp_path, Hungry(1, CPU))
    with pytest.raises(MachineError, match="memory ran out at step 0, with 2 patches at once") as caught:
        train(run, resume=False)
    assert (
        len(halved) == 1
        and "optimizer.accumulate" in caught.value.fix
        and "data.patch_hw (it is 32 x 32)" in caught.value.fix
    )
    alone, _, _, none = hungry_run(tmp_path / "one", Hungry(0, CPU), optimizer__accumulate=4)
    with pytest.raises(MachineError, match="with 1 patch at once") as caught:
        train(alone, resume=False)
    assert none == [] and "raise optimizer.accumulate" not in caught.value.fix


def test_networks_that_need_two_patches_at_once_keep_them(tmp_path):
    asked = {"model__architecture": "smp/pan"}
    run, _, _, halved = hungry_run(tmp_path / "half", Hungry(2, CPU), **asked)
    train(run, resume=False)
    assert [parts for parts, _ in halved] == [2]
    run, _, _, halved = hungry_run(tmp_path / "single", Hungry(1, CPU), **asked, optimizer__accumulate=4)
    with pytest.raises(MachineError, match="with 2 patches at once") as caught:
        train(run, resume=False)
    assert halved == [] and "raise optimizer.accumulate" not in caught.value.fix
    recipe = runs.recipe(**asked)
    assert [smaller_parts(parts, 7, recipe) for parts in (1, 2, 3, 9)] == [2, 3, None, None]
    assert [smaller_parts(parts, 7, runs.recipe()) for parts in (1, 2, 4, 7)] == [2, 4, 7, None]


def test_memory_that_runs_out_while_weights_change_is_not_tried_again(tmp_path):
    run, _, _, halved = hungry_run(tmp_path, Small())
    monkey = torch.optim.AdamW.step
    try:
        torch.optim.AdamW.step = lambda self, closure=None: (_ for _ in ()).throw(MemoryError())
        with pytest.raises(MachineError, match="memory ran out at step 0"):
            train(run, resume=False)
    finally:
        torch.optim.AdamW.step = monkey
    assert halved == []


def test_other_failures_are_not_taken_for_a_lack_of_memory(tmp_path):
    run, _, _, _ = hungry_run(tmp_path, Hungry(2, RuntimeError("shapes differ")))
    with pytest.raises(RuntimeError, match="shapes differ"):
        train(run, resume=False)
