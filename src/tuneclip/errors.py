"""The one family of errors that a user can mend; everything else is a bug and keeps its traceback."""

import errno


class TuneclipError(Exception):
    """Bad input or a missing part: what is wrong, where, what was expected, and what to type next.

    The message is one line, ready to be shown as it is.
    """

    result: object = None
    """What was done before it went wrong, where that is to be told: the dataclass that `--json` prints."""

    def __init__(self, what: str, *, where: object = None, expected: str | None = None, hint: str | None = None):
        self.what, self.where, self.expected, self.hint = what, where, expected, hint
        message = what
        if where is not None:
            message += f" ({where})"
        if expected:
            message += f"; expected {expected}"
        if hint:
            message += f". Next: {hint}"
        super().__init__(message)


def one_line(error: object, most: int | None = None) -> str:
    """What another library says, on one line, of at most so many characters."""
    return " ".join(str(error).split())[:most]


_MENDABLE = {
    errno.ENOSPC: ("the disk is full", "free some space, then run the same command again; finished work is kept"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run the same command again"),
    errno.EACCES: (
        "no permission",
        "choose a folder that you may write, with --project DIR, or change its permissions",
    ),
    errno.EPERM: ("no permission", "choose a folder that you may write, with --project DIR, or change its permissions"),
    errno.EROFS: ("the file system is read-only", "choose a folder that can be written, with --project DIR"),
    errno.ENOTDIR: ("a file is where a folder is needed", "choose another place with --project DIR"),
}


def explain_os_error(error: OSError) -> TuneclipError | None:
    """The mendable form of a full disk, a forbidden folder and the like; None for any other operating-system error."""
    known = _MENDABLE.get(error.errno or 0)
    if known is None:
        return None
    what, hint = known
    return TuneclipError(what, where=error.filename, hint=hint)
