"""A hand that draws on the pad, and eyes that read it."""

from playwright.sync_api import expect

expect.set_options(timeout=15_000)  # a kernel on a busy machine answers slowly

# Strokes of points (x, y), 0 to 1 from the pad's upper left corner.
ONE = [[(0.5, 0.2), (0.48, 0.8)]]
SEVEN = [[(0.3, 0.25), (0.65, 0.25), (0.45, 0.8)]]


def canvas(pad):
    """Return what one draws on."""
    return pad.get_by_role("application")


def verdict(pad):
    """Return the sentence that says what the model reads."""
    return pad.locator(".verdict")


def on_canvas(pad, point):
    """Return where a point of the pad is on the screen."""
    box = canvas(pad).bounding_box()
    return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]


def draw(pad, strokes):
    """Draw with the mouse."""
    pad.scroll_into_view_if_needed()
    mouse = pad.page.mouse
    for first, *rest in strokes:
        mouse.move(*on_canvas(pad, first))
        mouse.down()
        for point in rest:
            mouse.move(*on_canvas(pad, point), steps=10)
        mouse.up()
