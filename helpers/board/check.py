"""One requirement of the gate, and the gate itself."""

from dataclasses import dataclass

from helpers.errors import TutorialError


@dataclass(frozen=True)
class Check:
    """One requirement, and whether the model meets it.

    Attributes
    ----------
    name : str
        What is checked, in a few words.
    passed : bool
    sentence : str
        What was found, and what was expected if that is not it.
    """

    name: str
    passed: bool
    sentence: str

    def __str__(self):
        return f"{'pass' if self.passed else 'FAIL'}  {self.name}: {self.sentence}"


def require(checks):
    """Let a model pass only if it passed every check.

    Parameters
    ----------
    checks : sequence of Check

    Raises
    ------
    TutorialError
        With the first check that failed and its reason.
    """
    for check in checks:
        if not check.passed:
            raise TutorialError(
                f"The model is not passed on, because of its {check.name}: "
                f"{check.sentence}"
            )
