"""Free memory is what kernel and container say, whichever is less."""

import pytest

from limner.core import memory


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Kernel files of our own: 4 GiB available, no container."""
    (tmp_path / "meminfo").write_text("MemTotal: 8388608 kB\nMemFree: 1000 kB\nMemAvailable: 4194304 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    paths = tuple(tmp_path / name for name in ("max", "current", "stat"))
    monkeypatch.setattr(memory, "CGROUPS", (paths,))
    return tmp_path


def test_the_kernel_and_the_container(kernel):
    assert memory.free_memory() == 4 * 2**30
    (kernel / "max").write_text("max\n")
    (kernel / "current").write_text("123\n")
    assert memory.free_memory() == 4 * 2**30  # no limit
    (kernel / "max").write_text(f"{3 * 2**30}\n")
    (kernel / "current").write_text(f"{2 * 2**30}\n")
    assert memory.free_memory() == 2**30
    (kernel / "stat").write_text(f"anon 5\ninactive_file {2**29}\nactive_file 7\n")
    assert memory.free_memory() == 2**30 + 2**29  # the kernel drops cached files first
    (kernel / "current").write_text(f"{9 * 2**30}\n")
    assert memory.free_memory() == 0
    (kernel / "max").write_text(f"{2**60}\n")
    assert memory.free_memory() == 4 * 2**30


def test_a_system_that_does_not_say(kernel):
    (kernel / "meminfo").unlink()
    assert memory.free_memory() == memory.UNKNOWN


def test_words_of_libraries_that_ran_out():
    assert memory.ran_out(
        RuntimeError(
            "FAIL : bfc_arena.cc:360 AllocateRawInternal Failed to allocate memory for requested buffer of size 57"
        )
    )
    assert memory.ran_out(MemoryError()) and memory.ran_out(
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
    )
    assert memory.ran_out(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")) and not memory.ran_out(
        RuntimeError("shape")
    )
