"""The verb `label`: the rating page for a prompt, which becomes a classifier."""

from urllib.parse import urlencode

from tuneclip import settings
from tuneclip.learn.alone import hold
from tuneclip.project import Project, checked_name
from tuneclip.vectors.collection import open_collection
from tuneclip.web.rating import name_of
from tuneclip.web.serve import Served, run_server


def label(options: settings.Label, project: Project) -> Served:
    """Serve the page with the rating of `collection` for `prompt` until SIGINT or SIGTERM; what was begun goes on.

    Raises TuneclipError, before anything is served, for a missing collection, for a prompt without words, and when
    another process rates for the classifier.
    """
    to = checked_name(options.to or name_of(options.prompt))
    open_collection(checked_name(options.collection), project)
    where = urlencode({"collection": options.collection, "prompt": options.prompt.strip(), "to": to})
    served = settings.Serve(host=options.host, port=options.port, open=options.open, token=options.token)
    held = hold(project.classifier_log(to))
    try:
        return run_server(served, project, f"/label?{where}")
    finally:
        held.release()
