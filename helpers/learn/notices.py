"""A notice that cannot be missed."""

import html


def show_notice(text):
    """Show `text` in a box at this place of the page; nothing if it is empty."""
    from IPython.display import display

    if text:
        box = (
            '<div role="alert" style="border:3px solid #D55E00;border-radius:6px;'
            'padding:0.8em 1em;font-size:1.1em;background:#fff4ea;color:#222">'
            f"<strong>Please note.</strong> {html.escape(text)}</div>"
        )
        display({"text/html": box, "text/plain": f"PLEASE NOTE: {text}"}, raw=True)
