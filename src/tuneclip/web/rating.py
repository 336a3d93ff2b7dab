"""The rating view: one step of `learn.rounds` a request."""

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from tuneclip.errors import TuneclipError
from tuneclip.learn.classifier import Classifier, Estimate, classifiers, load_classifier
from tuneclip.learn.rounds import VALUES, Rounds, State
from tuneclip.vectors.collection import collections
from tuneclip.web.answers import Body, text, writing
from tuneclip.web.desk import Desk
from tuneclip.web.finding import shown

BEST = 24  # pictures in the side strip
LONGEST = 60  # letters of a name made from a prompt


def page(desk: Desk, query: QueryParams) -> Body:
    """What the template of the rating needs; without a prompt it asks for one and lists what was begun."""
    names = ("collection", "prompt", "to")
    known = collections(desk.project)
    asked = {name: query.get(name, "").strip() for name in names}
    asked["to"] = asked["to"] or (name_of(asked["prompt"]) if asked["prompt"] else "")
    begun = [load_classifier(name, desk.project) for name in classifiers(desk.project)]
    return {**asked, "collections": known, "classifiers": begun, "ready": all(asked.values())}


async def step(request: Request) -> Response:
    """One step: `open`, `rate`, `undo`, `next`, `reset`, `finish` or `best`."""
    name = request.path_params["step"]
    if name not in STEPS:
        raise TuneclipError(f"no step {name!r}", expected="one of " + ", ".join(STEPS))

    def take(desk: Desk, body: Body) -> Body:
        with desk.rounds(text(body, "to"), text(body, "collection"), text(body, "prompt")) as rounds:
            return STEPS[name](rounds, desk, body)

    return await writing(take)(request)


def _rate(rounds: Rounds, desk: Desk, body: Body) -> Body:
    value = body.get("value")
    if isinstance(value, bool) or value not in VALUES:
        raise TuneclipError(f"{value!r} is no rating", expected="one of " + ", ".join(map(str, VALUES)))
    return _told(rounds.rate(text(body, "id"), float(value)), desk)


def _best(rounds: Rounds, desk: Desk, body: Body) -> Body:
    state = rounds.state()
    hits = rounds.positives(BEST)
    desk.remember(state.collection, hits)
    return {"best": [shown(state.collection, hit) for hit in hits]}


def _finish(rounds: Rounds, desk: Desk, body: Body) -> Body:
    return {"made": _finished(rounds.finish(), desk), **_told(rounds.state(), desk)}


STEPS: Mapping[str, Callable[[Rounds, Desk, Body], Body]] = {
    "open": lambda rounds, desk, _: _told(rounds.state(), desk),
    "rate": _rate,
    "undo": lambda rounds, desk, _: _told(rounds.undo(), desk),
    "next": lambda rounds, desk, _: _told(rounds.next_round(), desk),
    "reset": lambda rounds, desk, _: _told(rounds.reset(), desk),
    "finish": _finish,
    "best": _best,
}


def _told(state: State, desk: Desk) -> dict[str, Any]:
    desk.remember(state.collection, state.page)
    return {
        "classifier": state.classifier,
        "collection": state.collection,
        "prompt": state.prompt,
        "model": state.model,
        "round": state.round,
        "page": [shown(state.collection, hit) for hit in state.page],
        "ratings": dict(state.ratings),
        "rated": state.rated,
        "positives": state.positives,
        "negatives": state.negatives,
        "can_undo": state.can_undo,
        "finished": state.finished,
    }


def _finished(made: Classifier, desk: Desk) -> dict[str, Any]:
    words = ["tuneclip", "classify", made.name, "--collection", made.collection]
    root = desk.project.root
    return {
        "command": shlex.join([*words, "--project", str(root)] if root != Path() else words),
        "name": made.name,
        "threshold": made.threshold,
        "precision": _estimate(made.precision),
        "recall": _estimate(made.recall),
        "ratings": len(made.ratings),
    }


def _estimate(estimate: Estimate | None) -> dict[str, float] | None:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high} if estimate else None


def name_of(prompt: str) -> str:
    """A classifier's name made from its prompt: "dogs in the snow" is `dogs-in-the-snow`."""
    name = re.sub(r"[^\w]+", "-", prompt.strip().lower())[:LONGEST].strip("-_")
    if not name:
        raise TuneclipError(f"no name can be made from the prompt {prompt!r}", expected="words, or a name by --to NAME")
    return name
