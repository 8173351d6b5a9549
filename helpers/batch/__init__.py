"""All six notebooks in one command: running them, their pages, their summary."""
