"""A grid of runs on all cores of a laptop or on the machines of a Dask cluster."""
