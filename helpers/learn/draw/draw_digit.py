"""Choose between the live drawing pad and its still picture."""

from helpers.learn.draw.still import StillPicture
from helpers.learn.draw.strokes import SEVEN


def draw_digit(predict, *, example=None, live=None):
    """Let the reader draw a digit and watch the model read it.

    Parameters
    ----------
    predict : callable
        Takes a picture, int8 of shape (28, 28), -128 (paper) to 127 (ink), and returns
        ten probabilities, 0 to 1, as any array-like of ten floats.
    example : sequence of strokes, optional
        The drawing that the still picture shows and that the pad offers as an example:
        strokes are sequences of points (x, y), 0 to 1 from the pad's upper left corner.
        A small seven in the upper right unless given.
    live : bool, optional
        Whether to show the live pad. Unless given, it is shown if the code was sent by
        a page that somebody looks at: JupyterLab, Notebook 7, Visual Studio Code.

    Returns
    -------
    LivePad or StillPicture
        What Jupyter shows if it is the last expression of a cell.
    """
    example = SEVEN if example is None else example
    if _asked_by_a_page() if live is None else live:
        from helpers.learn.draw.live import LivePad  # needs anywidget, for 0.2 s

        return LivePad(predict, example)
    return StillPicture(predict, example)


def _asked_by_a_page():
    """Tell whether the running code was sent by a page, not by a batch runner.

    Whoever sends code to a kernel may say more about it in the metadata. Pages
    put the id of the cell there, because they debug and redraw cells; nbclient,
    papermill, nbval and consoles send no metadata. The request itself is asked rather
    than the environment, because variables are inherited: papermill started from a cell
    in JupyterLab must still leave a still picture.

    Asking the page by opening a widget and waiting for its answer would be surer, but
    nbclient stores every widget that is opened in the notebook's metadata: the saved
    page would carry the pad's code and ask a server on the internet to run it. If a
    future page sends no id, its reader sees the still picture, and ``live=True`` helps.
    """
    try:
        from IPython import get_ipython

        request = get_ipython().get_parent()
    except (ImportError, AttributeError):  # plain Python, or IPython in a terminal
        return False
    return "cellId" in request.get("metadata", {})
