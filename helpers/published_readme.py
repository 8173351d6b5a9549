"""``published/README.md``: what each file is for, how to use it, what goes wrong."""

from helpers import arduino, c_templates
from helpers.report import rate


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
        sketch=arduino.sketch_path(name),
        sketch_folder=arduino.sketch_folder(name),
        has_softmax="SOFTMAX" in report.model.operators,
        static_bytes=static_bytes,
        sketch_bytes=static_bytes + arduino.SKETCH_BYTES,
    )
