"""What a run has achieved, in numbers and in sentences."""

import textwrap

from helpers import runs


def rate(correct, images):
    """Return a count with its rate, as in ``9,904 of 10,000 correct (99.04 %)``."""
    decimals = 2 if images >= 5000 else 1  # what a sample of this size supports
    return (
        f"{correct:,} of {images:,} correct ({100 * correct / images:.{decimals}f} %)"
    )


def change(before, after, images):
    """Say in words how accuracy changed from `before` to `after` right answers."""
    if after == before:
        return "accuracy did not change"
    points = 100 * (after - before) / images
    verb = "rose" if points > 0 else "fell"
    size = f"{abs(points):.{2 if images >= 5000 else 1}f}"
    return f"accuracy {verb} by {size} percentage points"


def summary(report):
    """Return the figures of a run, as in ``report.json``, as labels and texts."""
    data, model = report["dataset"], report["model"]
    before, after = report["accuracy"]["float"], report["accuracy"]["int8"]
    images = after["images"]
    counts = f"{data['train_images']:,} images for training, {images:,} for testing"
    arena = f"{model['arena_used']:,} used, {model['arena_recommended']:,} recommended"
    return [
        ("dataset", f"{data['name']}: {counts}"),
        ("before quantization", rate(before["correct"], images)),
        ("after quantization", rate(after["correct"], images)),
        ("", change(before["correct"], after["correct"], images)),
        ("measured on", report["runtime"]["name"]),
        ("model", f"{model['bytes']:,} bytes"),
        ("tensor arena, in bytes", arena),
    ]


def closing_text(folder, results):
    """Return what a batch run says at its end.

    `results` are stem, status (kept, done, failed or not run) and seconds of each
    notebook.
    """
    report, published = read(folder), published_files(folder)
    rows = [(stem, f"{status:8}{seconds:6.1f} s") for stem, status, seconds in results]
    rows += [("", ""), *summary(report)] if report else []
    parts = ["\n".join(f"{label:26}{text}".rstrip() for label, text in rows)]
    if results[-1][1] == "done":
        written = [f"{runs.PUBLISHED}/{path}" for path in published]
        written = [folder / p for p in [*written, "notebooks", "report/index.html"]]
        here = [str(path) for path in written if path.exists()]
        parts.append("\n  ".join(["Written:", *here]))
    elif published:
        parts.append(f"{folder / runs.PUBLISHED} holds the last model that passed.")
    if report and report["dataset"]["notice"]:
        lines = textwrap.wrap(f"PLEASE NOTE: {report['dataset']['notice']}", 72)
        parts.append("\n".join(["!" * 78, *(f"!! {x:72} !!" for x in lines), "!" * 78]))
    return "\n\n".join(["", *parts, ""])


def read(folder):
    """Return the report of the run in `folder`, or an empty dict without one."""
    is_there = (folder / "06_results.json").exists()
    return runs.Run(folder.name).load("06_results.json") if is_there else {}


def published_files(folder):
    """Return the sorted paths, in ``published/``, of what the run has published."""
    files = [p for p in (folder / runs.PUBLISHED).rglob("*") if p.is_file()]
    return sorted(p.relative_to(folder / runs.PUBLISHED).as_posix() for p in files)
