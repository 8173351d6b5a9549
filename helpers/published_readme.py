"""``published/README.md``: what each file is for, how to use it, what goes wrong."""

from dataclasses import dataclass

from helpers import arduino, c_templates
from helpers.report import rate


@dataclass(frozen=True)
class FileRow:
    """A row of the table of files."""

    path: str  # as Markdown; a row may stand for several files
    purpose: str


def published_readme(name, report, static_bytes):
    """Return the text of ``README.md`` for the folder that the run `name` publishes.

    `report` is the run's `Report`, `static_bytes` the memory that the plain C needs.
    """
    before, after = report.accuracy.float, report.accuracy.int8
    return c_templates.render(
        "published_readme.md.j2",
        name,
        report=report,
        before=rate(before.correct, before.images),
        after=rate(after.correct, after.images),
        files=_file_rows(name),
        sketch=arduino.sketch_path(name),
        has_softmax="SOFTMAX" in report.model.operators,
        static_bytes=static_bytes,
        sketch_bytes=static_bytes + arduino.SKETCH_BYTES,
    )


def _file_rows(name):
    stem = f"{name}_int8"
    folder = arduino.sketch_folder(name)
    return [
        FileRow(
            f"`{stem}_inference.c`, `.h`",
            "the network as plain C: its numbers, and its functions",
        ),
        FileRow("`cnn_int8.c`, `.h`", "the engine that they call, for every model"),
        FileRow(
            f"`{stem}_inference_golden.h`",
            "a self-test for plain C: ten images with their exact logits",
        ),
        FileRow(f"`{folder}/`", "a sketch for the Arduino IDE, with all it needs"),
        FileRow(f"`{stem}.tflite`", "the model that was tested"),
        FileRow(
            f"`{stem}.cc`, `.h`",
            "the same bytes as a C array for TensorFlow Lite Micro: `const`, aligned",
        ),
        FileRow(f"`{stem}_board.h`", "scale, zero point, operators and arena for it"),
        FileRow(f"`{stem}_golden.h`", "ten images with their scores, for it"),
        FileRow(
            "`himax_we1_evb/`",
            "the array under the names that the SDK of the HIMAX WE1 EVB uses",
        ),
        FileRow("`report.json`", "all figures of the run, its parameters and checks"),
        FileRow("`SHA256SUMS`", "checksums of all files: `sha256sum -c SHA256SUMS`"),
    ]
