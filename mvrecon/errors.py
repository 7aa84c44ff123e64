"""The one family of errors that a user sees: what happened, where, what to do."""


class MvreconError(Exception):
    """An error that is told in one line and ends the program with `exit_code`.

    Args:
        what: what happened and where, without a final full stop.
        remedy: what the user can do about it.
    """

    exit_code = 1

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy}"


class UsageError(MvreconError):
    """Wrong usage or configuration."""

    exit_code = 2


class InputError(MvreconError):
    """Unusable input: missing, unreadable, or not what it claims to be."""

    exit_code = 3


class NotEnoughDataError(MvreconError):
    """Readable input that cannot be reconstructed (for example too little parallax)."""

    exit_code = 4


class NoModelError(NotEnoughDataError):
    """Images that were matched, but from whose matches no model grew."""


class StageCrashError(MvreconError):
    """Native code ended or hung the process that a stage ran it in."""

    exit_code = 1


class OutOfMemoryError(StageCrashError):
    """Work needed more memory than there is, or than the user allows."""

    def __init__(self, label: str, cause: str = "") -> None:
        super().__init__(
            f"stage {label} ran out of memory" + (f" ({cause})" if cause else ""),
            "Lower --workers, --depth.max_size or --frames.max_size, or allow more with --max-ram;"
            " what was finished is kept",
        )


INTERRUPTED_EXIT_CODE = 130


def one_line(text: str) -> str:
    """The text with line breaks and other control characters (of file names) made visible."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
