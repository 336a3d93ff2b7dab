"""The report's section on forgetting: what mixing base and tuned weights gained and kept, model by model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneclip.errors import TuneclipError
from tuneclip.measure import plots
from tuneclip.project import MODEL_MANIFEST, Project, read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from tuneclip.training.interpolate import Interpolation


@dataclass(frozen=True)
class Mixing:
    """One model's sweep over the mixtures, ready for the page."""

    model: str
    plot: "Markup"
    notes: tuple[str, ...]


def mixings(project: Project, models: "Sequence[str]") -> list[Mixing]:
    """The sweeps of those models that have one in their manifest."""
    from markupsafe import Markup

    from tuneclip.training.interpolate import again

    found = []
    for number, model in enumerate(models):
        swept = again(_trained(project, model).get("interpolation"))
        if swept:
            plot = plots.mixture_plot(f"mixing-{number}", swept.curve, swept.alpha, swept.probe)
            found.append(Mixing(model, Markup(plot), tuple(_notes(swept))))  # noqa: S704 our own
    return found


def _notes(swept: "Interpolation") -> "list[str]":
    base, tuned, chosen = swept.curve[0], swept.curve[-1], swept.chosen
    own = f"mean recall on {swept.pictures:,} validation pictures {_percent(chosen.validation_mean_recall)}"
    own += f" (base {_percent(base.validation_mean_recall)}, tuned {_percent(tuned.validation_mean_recall)})"
    first = f"The model is the mixture at α = {swept.alpha:g}: {own}."
    if chosen.probe_recall is None:
        return [first, "Forgetting was not measured: the config named no probe, a dataset of other pictures."]
    general = f"On {swept.probe_pictures:,} pictures of {swept.probe} it has {_percent(chosen.probe_recall)}"
    general += f" (base {_percent(base.probe_recall)}, tuned {_percent(tuned.probe_recall)})"
    margin = f"± {_percent(1.96 * (chosen.probe_noise or 0.0))}"
    return [first, f"{general}; the difference from the base is known to {margin}."]


def _trained(project: Project, model: str) -> dict[str, Any]:
    path = project.model(model) / MODEL_MANIFEST
    try:
        trained = read_json(path).get("trained") if path.is_file() else None
    except TuneclipError:
        return {}  # not a manifest of ours: nothing is known
    return trained if isinstance(trained, dict) else {}


def _percent(share: float | None) -> str:
    return f"{100 * (share or 0.0):.1f} %"
