"""What a training takes from the socket, roughly: on this machine by its time, on others by the arithmetic it needs."""

import os
import subprocess
from dataclasses import dataclass

CORE_WATTS, GIGABYTE_WATTS = 12.0, 0.3725
"""A processor's core at work and a gigabyte of memory: the defaults of Green Algorithms (Lannelongue et al. 2021,
doi:10.1002/advs.202100707)."""
CARD_WATTS = 300.0
"""A GPU that does not tell its limit."""
APPLE_WATTS = 20.0
USED = 0.3
"""Share of its peak that a machine reaches in training models of this size; 0.2 to 0.5 are usual."""


@dataclass(frozen=True)
class Machine:
    """A machine to compare with."""

    name: str
    watts: float
    operations_per_second: float
    """Floating-point operations at its peak, in the precision that training has there."""


ELSEWHERE = (
    Machine("Apple M1 laptop", APPLE_WATTS, 2.6e12),
    Machine("NVIDIA L4", 72.0, 121e12),
)
"""The M1's GPU reaches 2.6 TFLOPS in 32 bits and its package takes some 20 W under load; the L4's data sheet says 72 W
and 242 TFLOPS in bf16 with sparsity, half of it without."""


@dataclass(frozen=True)
class Energy:
    """Energy that a run takes on a device; good to a factor of two at best."""

    device: str
    watts: float
    seconds: float
    watt_hours: float


def energies(device: str, seconds: float, operations: float) -> tuple[Energy, ...]:
    """Of this machine in `seconds`, then of others for so many floating-point operations."""
    here = _energy(f"this machine ({device})", _watts(device), seconds)
    return here, *(_energy(m.name, m.watts, operations / (USED * m.operations_per_second)) for m in ELSEWHERE)


def _energy(name: str, watts: float, seconds: float) -> Energy:
    return Energy(name, round(watts, 1), round(seconds, 1), round(watts * seconds / 3600, 4))


def _watts(device: str) -> float:
    """Power under load: of the processor's cores in use and the memory, and of the GPU where it works."""
    import torch

    from tuneclip.training.memory import machine_memory

    if device == "mps":
        return APPLE_WATTS
    cores = min(torch.get_num_threads(), os.cpu_count() or 1)
    machine = cores * CORE_WATTS + machine_memory().total / 1e9 * GIGABYTE_WATTS
    return machine + (_card_watts() if device == "cuda" else 0.0)


def _card_watts() -> float:
    """The GPU's power limit as its driver tells it."""
    command = ["nvidia-smi", "--query-gpu=power.limit", "--format=csv,noheader,nounits"]
    try:
        return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.split()[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return CARD_WATTS
