"""Open an imagefolder that was not made here: its records, where they are, without copying a picture."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from tuneclip.data.columns import understand
from tuneclip.data.gather import Gatherer
from tuneclip.data.load import read_records
from tuneclip.data.source import recognise
from tuneclip.data.write import DatasetWriter
from tuneclip.errors import TuneclipError
from tuneclip.project import METADATA
from tuneclip.records import Record
from tuneclip.settings import Import

logger = logging.getLogger("tuneclip")


def foreign_records(folder: Path) -> tuple[Record, ...]:
    """The records of an imagefolder, by the rules of `import`; rows without picture or caption are left out aloud.

    Pictures are not decoded. Raises TuneclipError when the folder is not understood or has no such record.
    """
    source = recognise(folder)
    plan = understand(source, Import(source=folder, to=folder.name))
    gatherer = Gatherer(plan, None, folder)
    with TemporaryDirectory(prefix="tuneclip-") as scratch, DatasetWriter(Path(scratch), typed=source.typed) as writer:
        for job in gatherer.jobs(source.rows(), writer.knows):
            if job.entry is None:
                writer.skip(job.place, job.fields, job.reason)
            elif writer.knows(job.entry.source):
                writer.merge(job.entry, job.fields)
            elif isinstance(job.picture, Path) and job.picture.is_relative_to(folder):
                writer.add(job.entry, job.picture.relative_to(folder).as_posix())
            else:
                writer.refuse(job.entry, job.fields, "the picture is not a file of this folder")
        if not writer.taken:
            reasons = "; ".join(writer.first_reasons) or "there are no records"
            raise TuneclipError(f"no record can be used: {reasons}", where=folder, hint="tuneclip import it first")
        writer.finish(seed=0)
        if writer.skipped:
            logger.warning("%s: left out %d records: %s", folder, writer.skipped, "; ".join(writer.first_reasons))
        return tuple(read_records(Path(scratch) / METADATA))
