"""Memory: what there is, what a batch takes of it, and what therefore fits."""

import random
from pathlib import Path

import pytest

from tuneclip.model.open import load_model
from tuneclip.training.memory import (
    MARGIN,
    Demand,
    Line,
    Memory,
    Meter,
    even_part,
    fit_line,
    machine_memory,
    rough_demand,
    usable,
)


def test_a_fit_recovers_a_planted_line_through_noise() -> None:
    noise = random.Random(0)
    sizes = [8, 16, 32, 64]
    line = fit_line(sizes, [3e9 + 7e6 * size + noise.uniform(-2e6, 2e6) for size in sizes])
    assert line.fixed == pytest.approx(3e9, rel=0.01)
    assert line.per_picture == pytest.approx(7e6, rel=0.05)


def test_memory_that_falls_with_the_batch_is_taken_for_level_at_its_highest() -> None:
    assert fit_line([8, 64], [5.0, 4.0]) == Line(5.0, 0.0)
    assert fit_line([8], [5.0]) == Line(5.0, 0.0)


def test_the_largest_batch_grows_with_the_limit_and_fills_it() -> None:
    demand = Demand((Line(1e9, 5e6), Line(2e9, 0.0)), waiting=1e6)
    sizes = [demand.largest_batch(limit) for limit in (1.5e9, 2.5e9, 4e9, 8e9)]
    assert sizes == [0, 250, 500, 1166]
    assert demand.peak(500, 500) == 4e9


def test_parts_of_a_batch_fit_where_the_whole_does_not() -> None:
    demand = Demand((Line(1e9, 5e6),), waiting=1e5)
    fitting = demand.largest_micro_batch(2e9, 512)
    assert demand.peak(512, 512) > 2e9
    assert demand.peak(512, fitting) <= 2e9 < demand.peak(512, fitting + 1)


@pytest.mark.parametrize(("batch", "fitting", "part"), [(128, 200, 128), (128, 100, 64), (100, 34, 34), (7, 2, 2)])
def test_parts_are_as_few_and_as_even_as_can_be(batch: int, fitting: int, part: int) -> None:
    assert even_part(batch, fitting) == part


def test_a_margin_of_the_free_memory_stays_free() -> None:
    assert usable(Memory(total=16, free=10)) == pytest.approx(10 * (1 - MARGIN))


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_a_container_of_control_groups_v2_has_the_memory_of_its_tightest_limit(tmp_path: Path) -> None:
    write(tmp_path / "proc/self", cgroup="0::/pod/box\n")
    pod = tmp_path / "sys/fs/cgroup/pod"
    write(pod, memory__max="3000000\n", memory__current="2500000\n", memory__stat="anon 1\ninactive_file 500000\n")
    write(pod / "box", memory__max="max\n", memory__current="100\n", memory__stat="inactive_file 0\n")
    assert machine_memory(tmp_path) == Memory(total=3_000_000, free=1_000_000)


def test_a_container_of_control_groups_v1_has_the_memory_of_its_limit(tmp_path: Path) -> None:
    write(tmp_path / "proc/self", cgroup="9:cpu,cpuacct:/\n4:memory:/not/here/inside\n")
    limits = {"memory__limit_in_bytes": "2000000\n", "memory__usage_in_bytes": "700000\n"}
    write(tmp_path / "sys/fs/cgroup/memory", **limits, memory__stat="total_inactive_file 200000\n")
    assert machine_memory(tmp_path) == Memory(total=2_000_000, free=1_500_000)


def test_without_a_limit_the_memory_is_the_machines(tmp_path: Path) -> None:
    write(tmp_path / "proc/self", cgroup="4:memory:/\n")
    limits = {"memory__limit_in_bytes": "9223372036854771712\n", "memory__usage_in_bytes": "7\n"}
    write(tmp_path / "sys/fs/cgroup/memory", **limits, memory__stat="\n")
    assert machine_memory(tmp_path).total == machine_memory(tmp_path / "nothing").total > 1e8


def test_a_meter_gives_each_phase_its_seconds_and_its_own_peak() -> None:
    with Meter("cpu") as meter:
        meter.mark("small")
        meter.mark("large")
        block = bytearray(b"x" * 200_000_000)
        meter.mark("after")
        del block
        meter.mark("end")
    assert meter.peaks["large"] > meter.peaks["small"] + 150_000_000
    assert len(meter.seconds("large")) == 1
    assert meter.seconds("large")[0] > 0


def test_a_guess_grows_with_the_texts_and_is_smaller_in_bf16(tiny_model: Path) -> None:
    model = load_model(tiny_model).model
    short, long = (rough_demand(model, precision="fp32", longest=n).peak(64, 64) for n in (8, 24))
    assert rough_demand(model, precision="bf16", longest=8).peak(64, 64) < short < long
