"""What a sweep has found: configurations over their seeds, and the Pareto front."""

import statistics
from dataclasses import dataclass

from helpers.sweeps.grid import RECIPE

SEED = "seed"


@dataclass(frozen=True)
class Configuration:
    """Runs that differ in nothing but their seed.

    Attributes
    ----------
    values : dict
        Value by name of the parameters that vary in the sweep, but the seed.
    rows : list of dict
        At least one.
    """

    values: dict
    rows: list

    @property
    def label(self):
        """The configuration as people read it."""
        return ", ".join(f"{n}={v}" for n, v in self.values.items()) or "all runs"

    def mean(self, column):
        """Return the mean of a column."""
        return statistics.fmean(row[column] for row in self.rows)

    def deviation(self, column):
        """Return the sample's standard deviation of a column; None for one run."""
        if len(self.rows) < 2:
            return None
        return statistics.stdev(row[column] for row in self.rows)


def varied(rows, names):
    """Return which of `names` have more than one value in `rows`, in their order."""
    return [n for n in names if len({repr(row.get(n)) for row in rows}) > 1]


def configurations(rows, names):
    """Return the configurations of a sweep, the most accurate first.

    Parameters
    ----------
    rows : list of dict
        Those of successful runs, with ``board_accuracy``.
    names : list of str
        Parameters of the notebooks.
    """
    telling = [name for name in varied(rows, [RECIPE, *names]) if name != SEED]
    groups = {}
    for row in rows:
        values = {name: row.get(name) for name in telling}
        key = tuple(map(repr, values.values()))
        groups.setdefault(key, Configuration(values, [])).rows.append(row)
    return sorted(groups.values(), key=lambda c: -c.mean("board_accuracy"))


def pareto_front(points):
    """Return the places of the points than which none is better in both respects.

    Parameters
    ----------
    points : list of (float, float)
        Cost, of which less is better, and merit, of which more is better.

    Returns
    -------
    list of int
        From the cheapest to the best. Of equal points the first is returned.
    """
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1], i))
    front, best = [], float("-inf")
    for place in order:
        if points[place][1] > best:
            front.append(place)
            best = points[place][1]
    return front
