"""What grading has to say about a submission, besides its score."""

from dataclasses import dataclass
from enum import StrEnum


class GradingError(Exception):
    """Nothing could be graded; the message says why and what to do."""


class Kind(StrEnum):
    """How much a remark matters."""
    REPAIRED = "repaired"          # put right, by the rules; nobody need look
    LOOK = "look"                  # someone should look: part of the work could not be read or run
    TAMPERING = "tampering"        # something tried to change how it is graded; it earned nothing by that


@dataclass(frozen=True)
class Note:
    """One remark, as a sentence."""
    kind: Kind
    text: str

    @property
    def needs_attention(self) -> bool:
        return self.kind is not Kind.REPAIRED


def repaired(text: str) -> Note:
    return Note(Kind.REPAIRED, text)


def look(text: str) -> Note:
    return Note(Kind.LOOK, text)


def tampering(text: str) -> Note:
    return Note(Kind.TAMPERING, text)
