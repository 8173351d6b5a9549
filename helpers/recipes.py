"""Named sets of parameter values, for the command line and the sweep."""

RECIPES = {
    "default": {},
    # What the original tutorial did; see notebook 04 for what the defaults do instead.
    "original": {
        "pixel_scale": 1.0,
        "learning_rate": 0.001,
        "lr_schedule": "constant",
        "augment": False,
        "validation_share": 0.0,
        "calibration_images": 10_000,
    },
}


def recipe_values(recipe, declared):
    """Return the values of a recipe that apply to the declared parameters.

    Parameters
    ----------
    recipe : str
        A key of `RECIPES`.
    declared : collection of str
        Names of the parameters that the notebooks declare.

    Returns
    -------
    dict
        Value by parameter name.
    """
    return {name: v for name, v in RECIPES[recipe].items() if name in declared}
