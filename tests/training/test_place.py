"""Which process of how many: from options and from what starters say in the environment."""

import pytest

from limner.core.errors import MachineError, UsageError
from limner.training.distributed import devices_of
from limner.training.place import OWN, Place, find_place

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none", "RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "GROUP_RANK": "1",
}  # fmt: skip
SRUN = {
    "SLURM_JOB_ID": "1234567", "SLURM_STEP_NUM_TASKS": "6", "SLURM_STEP_NUM_NODES": "3", "SLURM_PROCID": "4", "SLURM_LOCALID": "0",
    "SLURM_NTASKS": "6",
}  # fmt: skip


def test_alone():
    place = find_place(1, 1, {})
    assert (place.world, place.first, place.starts_others) == (1, True, False)


def test_several_on_one_machine_are_ours_to_start():
    place = find_place(3, 1, {"PATH": "/bin"})
    assert (place.world, place.first, place.starts_others) == (3, True, True)
    assert not Place(rank=1, local_rank=1, devices=3, starter=OWN).starts_others


@pytest.mark.parametrize("options", [(1, 1), (4, 2)])
def test_torchrun(options):
    place = find_place(*options, TORCHRUN)
    assert place == Place(rank=5, local_rank=1, devices=4, nodes=2, starter="torchrun")
    assert not place.first and not place.starts_others and place.world == 8


def test_srun():
    assert find_place(1, 1, SRUN) == Place(rank=4, local_rank=0, devices=2, nodes=3, starter="slurm")
    assert find_place(2, 3, SRUN | {"SLURM_PROCID": "0"}).first


def test_a_batch_script_without_srun_is_one_process():
    """It sees the numbers of the whole allocation, but has no step."""
    script = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    assert find_place(1, 1, script) == Place() and find_place(4, 1, script).starts_others


def test_one_process_of_torchrun_is_alone():
    assert find_place(1, 1, {**TORCHRUN, "WORLD_SIZE": "1", "RANK": "0"}) == Place()


@pytest.mark.parametrize(
    "devices, nodes, environment, words",
    [
        (2, 2, TORCHRUN, "torchrun started 4 on each of 2"),
        (0, 1, {}, "at least 1"),
        (1, -1, {}, "at least 1"),
        (2, 2, {}, "nobody started the processes"),
    ],
)
def test_what_does_not_fit_is_wrong_usage(devices, nodes, environment, words):
    with pytest.raises(UsageError, match=words) as caught:
        find_place(devices, nodes, environment)
    assert caught.value.exit_code == 2 and caught.value.fix


def test_which_device_is_whose():
    third = Place(rank=6, local_rank=2, devices=4, nodes=2, starter="torchrun")
    assert devices_of(third, gpus=0) == ("cpu", 4, 2)
    assert devices_of(third, gpus=4) == ("cuda", 4, 2) == devices_of(third, gpus=8)
    assert devices_of(third, gpus=1) == ("cuda", 1, 0)  # a scheduler shows each process its own
    with pytest.raises(MachineError, match="4 devices are wanted, this machine has 2 GPUs") as caught:
        devices_of(third, gpus=2)
    assert "--devices 2" in caught.value.fix
    with pytest.raises(MachineError, match="this machine has 1 GPU;"):
        devices_of(Place(devices=2, starter=OWN), gpus=1)
