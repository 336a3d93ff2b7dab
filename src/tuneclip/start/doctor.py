"""The verb `doctor`: what is installed, what this machine can do, what is missing and how to get it."""

import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip import __version__
from tuneclip.errors import TuneclipError
from tuneclip.project import Project
from tuneclip.settings import Doctor

if TYPE_CHECKING:
    from rich.console import Console

STARTER = Path(__file__).parents[1] / "model" / "starter" / "model.safetensors"


@dataclass(frozen=True)
class Package:
    """One library: `version` is None where it is missing, `extra` names the extra that brings it ("" for the core)."""

    name: str
    version: str | None
    extra: str
    install: str


@dataclass(frozen=True)
class Examined:
    """What `doctor` saw."""

    tuneclip: str
    python: str
    system: str
    processor: str
    cores: int
    memory_bytes: int
    disk_free_bytes: int
    devices: tuple[str, ...]
    training_precision: str
    encoder: str
    starter: bool
    packages: tuple[Package, ...]
    missing: tuple[str, ...]

    def show(self, console: "Console") -> None:
        """A page for people."""
        console.print(f"tuneclip {self.tuneclip} · Python {self.python} · {self.system}")
        memory, free = self.memory_bytes / 2**30, self.disk_free_bytes / 2**30
        console.print(
            f"processor {self.processor} · {self.cores} cores · {memory:.0f} GiB memory · {free:.0f} GiB disk free"
        )
        console.print(f"devices {', '.join(self.devices)} · training in {self.training_precision}")
        console.print(f"pictures and texts are embedded by {self.encoder}")
        console.print(f"starter model {'is here' if self.starter else 'is missing: reinstall tuneclip'}")
        for package in self.packages:
            state = package.version or f"missing: {package.install}"
            console.print(f"  {package.name:<20} {state}{'  (' + package.extra + ')' if package.extra else ''}")
        console.print("all of the core is here" if not self.missing else f"missing: {', '.join(self.missing)}")


def doctor(options: Doctor, project: Project) -> Examined:
    """Look at versions, devices and extras; never fails, works where libraries are missing."""
    del options
    packages = tuple(_package(line) for line in sorted(requires("tuneclip") or []))
    devices, precision, processor = _devices()
    place = project.root if project.root.is_dir() else Path()
    return Examined(
        tuneclip=__version__,
        python=platform.python_version(),
        system=platform.platform(terse=True),
        processor=processor,
        cores=os.cpu_count() or 1,
        memory_bytes=_memory(),
        disk_free_bytes=shutil.disk_usage(place).free,
        devices=devices,
        training_precision=precision,
        encoder=_encoder(project),
        starter=STARTER.is_file(),
        packages=packages,
        missing=tuple(package.name for package in packages if package.version is None and not package.extra),
    )


def _package(requirement: str) -> Package:
    """One line of the package's own requirements, like `datasets; extra == 'dev'`."""
    specification, _, marker = requirement.partition(";")
    name = specification.strip()
    for sign in "<>=!~[ (":
        name = name.split(sign)[0]
    extra = marker.split("extra ==")[1].strip(" '\"") if "extra ==" in marker else ""
    try:
        found = version(name)
    except PackageNotFoundError:
        found = None
    install = f"pip install 'tuneclip[{extra}]'" if extra else f"pip install '{specification.strip()}'"
    return Package(name, found, extra, install)


def _devices() -> tuple[tuple[str, ...], str, str]:
    """Devices that torch can use, the precision training takes there, the processor's name."""
    try:
        import torch

        from tuneclip.model.encode import best_device
        from tuneclip.settings import TrainingConfig
        from tuneclip.training.hyperparameters import precision
    except ImportError as error:
        return (f"none: {error}",), "nothing", platform.machine()
    device = best_device()
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    names += ["Apple MPS"] if torch.backends.mps.is_available() else []
    processor = str(torch.cpu.get_capabilities().get("cpu_name") or platform.machine())
    return (*names, "cpu"), precision(TrainingConfig(), torch.device(device)), processor


def _encoder(project: Project) -> str:
    """What embeds here where a model's graphs can be made, in words."""
    try:
        import onnxruntime

        from tuneclip.model.encode import best_device, has_accelerator, processors
        from tuneclip.model.ready import wished

        wish = wished(project)
        if wish == "torch" or has_accelerator():
            return f"torch on {best_device()}"
    except (ImportError, TuneclipError) as error:
        return f"nothing: {error}"
    precision = "int8 where a model's check passes, else fp32" if wish == "auto" else wish
    return f"ONNX Runtime {onnxruntime.__version__} on {processors()} cores, {precision}"


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
