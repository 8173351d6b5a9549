"""The one exception that speaks to the person in front of the screen."""


class TutorialError(Exception):
    """A mistake that its reader can mend.

    Its text is one sentence: the thing, what was found, what was expected, the remedy.
    In a notebook it is shown as that sentence, without a traceback: where it was raised
    inside the helpers is of no use to the reader.
    """

    def _render_traceback_(self):  # asked for by IPython
        return [f"{type(self).__name__}: {self}"]
