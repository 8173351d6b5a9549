"""What a run has achieved: one declared structure, and the sentences made from it.

`Report` is what ``06_results.json`` and ``published/report.json`` hold. `make` is the
one place that fills it in; all who read it use its fields by name.
"""

import dataclasses
import hashlib
import textwrap
from dataclasses import dataclass

from helpers import runs, tflite
from helpers.files import TutorialError

RESULTS = "06_results.json"  # the artifact of a run that holds its report


@dataclass(frozen=True)
class Dataset:
    """What the model was trained and tested on."""

    name: str
    train_images: int
    test_images: int
    notice: str  # what has to be known about the images, '' if nothing


@dataclass(frozen=True)
class Score:
    """How many of the test images were read correctly."""

    correct: int
    images: int


@dataclass(frozen=True)
class Accuracy:
    """The test images read before quantization and after it."""

    float: Score  # by Keras, in 32-bit floating point
    int8: Score  # by the runtime that the report names


@dataclass(frozen=True)
class Runtime:
    """What ran the int8 model."""

    name: str
    is_tflm: bool  # False for the stand-in where TensorFlow Lite Micro is missing


@dataclass(frozen=True)
class Model:
    """The ``.tflite`` file that was tested, and the memory that it needs."""

    bytes: int
    sha256: str
    operators: list[str]
    arena_used: int  # bytes
    arena_recommended: int  # bytes
    arena_rule: str  # a sentence: how these two were found


@dataclass(frozen=True)
class CameraResult:
    """How the int8 model read test images that were altered in one way."""

    effect: str
    correct: int
    images: int


@dataclass(frozen=True)
class Check:
    """One check of the gate."""

    name: str
    passed: bool
    sentence: str  # what was found, and what was expected if it failed
    notebook: int = 6  # the number of the notebook that can change what was found


@dataclass(frozen=True)
class Report:
    """All that is to be known of a candidate, and of the model that it became."""

    name: str  # of the run
    dataset: Dataset
    accuracy: Accuracy
    runtime: Runtime
    model: Model
    camera: list[CameraResult]
    parameters: dict  # of all notebooks: value by name
    gate: list[Check]

    def to_dict(self):
        """Return the report as ``report.json`` has it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, found):
        """Return the `Report` that `to_dict` made this of.

        TutorialError if it has other fields, as one of older helpers may.
        """
        try:
            return cls(
                name=found["name"],
                dataset=Dataset(**found["dataset"]),
                accuracy=Accuracy(
                    float=Score(**found["accuracy"]["float"]),
                    int8=Score(**found["accuracy"]["int8"]),
                ),
                runtime=Runtime(**found["runtime"]),
                model=Model(**found["model"]),
                camera=[CameraResult(**result) for result in found["camera"]],
                parameters=found["parameters"],
                gate=[Check(**check) for check in found["gate"]],
            )
        except (KeyError, TypeError) as error:
            raise TutorialError(
                f"A report has other fields than expected ({error!r}); run notebook 6 "
                "to make it anew."
            ) from None

    def failed(self):
        """Return the checks of the gate that failed."""
        return [check for check in self.gate if not check.passed]


def make(*, run, data, trained, model_bytes, runtime, scores_i8, camera, checks):
    """Return the `Report` on a candidate, whose bytes are `model_bytes`.

    The history of `run` says how it was made; `data` are the arrays of notebook 2,
    `trained` the results of notebook 4, and `scores_i8` what `runtime` answered for
    all test images, int8 of shape (images, 10). `camera` is a list of `CameraResult`,
    and `checks` are what `gate.check_all` returned.
    """
    images = len(scores_i8)
    read_correctly = scores_i8.argmax(axis=1) == data["test_labels"]
    arena = tflite.arena(runtime)
    return Report(
        name=run.name,
        dataset=Dataset(
            name=str(data["name"]),
            train_images=len(data["train_images"]),
            test_images=images,
            notice=str(data["notice"]),
        ),
        accuracy=Accuracy(
            float=Score(trained["test"]["correct"], images),
            int8=Score(int(read_correctly.sum()), images),
        ),
        runtime=Runtime(runtime.name, runtime.is_tflm),
        model=Model(
            bytes=len(model_bytes),
            sha256=hashlib.sha256(model_bytes).hexdigest(),
            operators=runtime.model.operator_names,
            arena_used=arena.used,
            arena_recommended=arena.recommended,
            arena_rule=arena.rule,
        ),
        camera=camera,
        parameters=run.history(),
        gate=checks,
    )


def read(name):
    """Return the `Report` of the run `name`, or None if it has none.

    TutorialError if it is damaged.
    """
    run = runs.Run(name)
    if not (run.folder / RESULTS).exists():
        return None
    return Report.from_dict(run.load(RESULTS))


def published_paths(folder):
    """Return the sorted paths, in ``published/``, of what the run has published."""
    published = folder / runs.PUBLISHED
    files = [path for path in published.rglob("*") if path.is_file()]
    return sorted(path.relative_to(published).as_posix() for path in files)


def rate(correct, images):
    """Return a count with its rate, as in ``9,904 of 10,000 correct (99.04 %)``."""
    percent = f"{100 * correct / images:.{_decimals(images)}f}"
    return f"{correct:,} of {images:,} correct ({percent} %)"


def change(before, after, images):
    """Say in words how accuracy changed from `before` to `after` right answers."""
    if after == before:
        return "accuracy did not change"
    verb = "rose" if after > before else "fell"
    points = f"{100 * abs(after - before) / images:.{_decimals(images)}f}"
    return f"accuracy {verb} by {points} percentage points"


def summary(report):
    """Return the numbers of a `Report` as a list of labels and texts."""
    dataset, model = report.dataset, report.model
    before, after = report.accuracy.float, report.accuracy.int8
    images = (
        f"{dataset.train_images:,} images for training, {after.images:,} for testing"
    )
    arena = f"{model.arena_used:,} used, {model.arena_recommended:,} recommended"
    return [
        ("dataset", f"{dataset.name}: {images}"),
        ("before quantization", rate(before.correct, after.images)),
        ("after quantization", rate(after.correct, after.images)),
        ("change", change(before.correct, after.correct, after.images)),
        ("measured on", report.runtime.name),
        ("model", f"{model.bytes:,} bytes"),
        ("tensor arena, in bytes", arena),
    ]


@dataclass(frozen=True)
class NotebookResult:
    """What became of one notebook in a batch run."""

    stem: str
    status: str  # done, kept, failed or not run
    seconds: float


def closing_text(folder, results):
    """Return what a batch run says at its end.

    `folder` is that of the run, `results` has a `NotebookResult` for each notebook.
    """
    report = read(folder.name)
    parts = [_closing_table(results, report)]
    if results[-1].status == "done":
        parts.append(_written(folder))
    elif (folder / runs.PUBLISHED).exists():
        parts.append(f"{folder / runs.PUBLISHED} holds the last model that passed.")
    if report and report.dataset.notice:
        lines = textwrap.fill(f"PLEASE NOTE: {report.dataset.notice}", 75)
        parts.append(textwrap.indent(lines, "!! "))
    return "\n\n".join(["", *parts, ""])


def _closing_table(results, report):
    rows = []
    for result in results:
        rows.append((result.stem, f"{result.status:8}{result.seconds:6.1f} s"))
    if report:
        rows.append(("", ""))
        rows.extend(summary(report))
    lines = [f"{label:26}{text}".rstrip() for label, text in rows]
    return "\n".join(lines)


def _written(folder):
    """Return the places of a run that a reader wants to open."""
    published = folder / runs.PUBLISHED
    places = [published, folder / "notebooks", folder / "report" / "index.html"]
    lines = [f"  {place}" for place in places if place.exists()]
    count = len(published_paths(folder))
    heading = f"Written ({count} files in {runs.PUBLISHED}, which README.md explains):"
    return "\n".join([heading, *lines])


def _decimals(images):
    """Return how many decimals of a percentage a sample of this size supports."""
    return 2 if images >= 5000 else 1
