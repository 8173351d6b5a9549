"""Helpers of the tutorial: what would distract in a notebook lives here.

The package has a ground floor (errors, paths, files, artifacts, parameters, quiet) and
three rooms, named for who walks in:

- ``helpers.learn``: the learner's steps, from the dataset to the drawn digit;
- ``helpers.board``: what a microcontroller gets and how it is checked;
- ``helpers.batch``: all six notebooks in one command, their pages and their summary.

Imports point towards the ground floor. Nothing here imports TensorFlow before a
function needs it, so ``import helpers`` is cheap.
"""
