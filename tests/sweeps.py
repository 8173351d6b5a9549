"""Dask clusters of real processes on the loopback, and sweeps of stand-ins."""

import csv
import json
import os
import subprocess
import sys
import time

import psutil
import stand_ins

MARK = "SWEEP_TEST"  # environment variable that all processes of a test inherit


class Site:
    """A house of stand-in notebooks with a sweep's folder, ``out``, in it."""

    def __init__(self, folder):
        self.house = stand_ins.house(folder)
        self.folder, self.out = folder, folder / "out"
        self.environment = {MARK: str(folder), "COLUMNS": "200"}
        self.cluster = []

    def start(self, *arguments):
        """Start a sweep and return its process."""
        return self.house.start(
            *arguments, "--out", "out", module="helpers.sweep", **self.environment
        )

    def sweep(self, *arguments):
        """Do a sweep: returncode, stdout and stderr."""
        return self.house.command(
            *arguments, "--out", "out", module="helpers.sweep", **self.environment
        )

    def rows(self):
        """Return the rows of ``sweep.csv``, if it is there, as dicts of texts."""
        if not (self.out / "sweep.csv").exists():
            return []
        with open(self.out / "sweep.csv", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def start_cluster(self, workers=2):
        """Start a scheduler and workers, each a process; return the address."""
        file = self.folder / "scheduler.json"
        self.cluster = [
            self._dask("scheduler", "--host", "127.0.0.1", "--port", "0"),
            *(self._dask("worker", "--no-nanny") for _ in range(workers)),
        ]
        self.wait(file.exists)
        return json.loads(file.read_text())["address"]

    def _dask(self, role, *options):
        file = str(self.folder / "scheduler.json")
        options += ("--no-dashboard",)
        if role == "worker":
            options += ("--nthreads", "1", "--local-directory", str(self.folder))
        variables = {
            "NOTEBOOKS_DIR": str(self.folder / "notebooks"),
            "PYTHONPATH": str(stand_ins.REPOSITORY),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "dask", role, "--scheduler-file", file, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=os.environ | variables | self.environment,
        )

    def processes(self):
        """Return the processes of this site other than the cluster's own."""
        own = {process.pid for process in self.cluster}
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.environ().get(MARK) == str(self.folder)
                if mine and process.pid not in own and process.status() != "zombie":
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def wait(self, condition, seconds=60):
        """Wait until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.05)

    def runs_below(self, process):
        """Return the processes that do runs for `process`."""
        try:
            below = psutil.Process(process.pid).children(recursive=True)
            return [p for p in below if "helpers.sweeps.process" in p.cmdline()]
        except psutil.Error:
            return []

    def close(self):
        """End all processes of this site."""
        for process in self.cluster:
            process.kill()
            process.wait()
        for process in self.processes():
            process.kill()
