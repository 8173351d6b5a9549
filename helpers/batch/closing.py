"""What the batch command prints when all is done."""

from helpers.artifacts import PUBLISHED
from helpers.batch.summary import (
    files_written,
    in_a_frame,
    in_columns,
    notice,
    published_report,
    summary_rows,
)
from helpers.paths import shown


def closing_text(outcome):
    """Return the closing table of a run.

    Parameters
    ----------
    outcome : helpers.batch.runner.Outcome

    Returns
    -------
    str
        Figures only if every notebook succeeded: those of an older run would look like
        this one's.
    """
    rows = [
        (result.notebook, f"{result.status}{_seconds(result)}")
        for result in outcome.results
    ]
    parts = [in_columns([*rows, ("all", f"{outcome.seconds:.1f} s")])]
    if not outcome.complete:
        if (outcome.folder / PUBLISHED).exists():
            parts.append(
                f"{shown(outcome.folder / PUBLISHED)} is as an earlier run left it."
            )
        return "\n\n".join(["", *parts])
    report = published_report(outcome.folder)
    if report:
        parts.append(in_columns(summary_rows(report)))
    parts.append(
        "Written:\n" + "\n".join(f"  {p}" for p in files_written(outcome.folder))
    )
    if notice(report):
        parts.append(in_a_frame(notice(report)))
    return "\n\n".join(["", *parts])


def _seconds(result):
    return f", {result.seconds:.1f} s" if result.seconds else ""
