"""What is left to be measured of all that was found."""

from __future__ import annotations

from collections.abc import Iterable

from mvrecon.errors import UsageError


class NothingChosenError(UsageError):
    """The options leave no data set to measure on."""


def matching(titles: Iterable[str], only: str) -> list[str]:
    """The titles that hold all words of one of the phrases of `only`, which commas separate.

    Raises:
        NothingChosenError: there is none.
    """
    phrases = [phrase.casefold().split() for phrase in only.split(",")]
    kept = [
        title
        for title in titles
        if any(all(word in title.casefold() for word in phrase) for phrase in phrases)
    ]
    if not kept:
        raise NothingChosenError(
            f"--only {only!r} leaves nothing", f"There are {', '.join(titles)}"
        )
    return kept
