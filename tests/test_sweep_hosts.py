"""A sweep over two hosts that share nothing but a network: network namespaces."""

import os
import shutil
import subprocess
import sys

import pytest
import stand_ins
from sweeps import MARK, Site

NAMES = "sweep-head", "sweep-node"


def _ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], capture_output=True, check=check)


def _why_not():
    if sys.platform != "linux" or os.geteuid() or not shutil.which("ip"):
        return "needs Linux, root and iproute2: sudo pytest -m slow"
    made = _ip("netns", "add", "sweep-try", check=False)
    _ip("netns", "del", "sweep-try", check=False)
    return made.returncode and "this system gives no network namespaces"


@pytest.fixture
def hosts():
    """Return two hosts, joined by a cable: name and address of each."""
    reason = _why_not()
    if reason:
        pytest.skip(reason)
    for name in NAMES:
        _ip("netns", "del", name, check=False)
    head, node = NAMES
    try:
        for name in NAMES:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        pair = ["eth0", "netns", node]
        _ip("-n", head, "link", "add", "eth0", "type", "veth", "peer", "name", *pair)
        for name, address in ((head, "10.99.0.1/24"), (node, "10.99.0.2/24")):
            _ip("-n", name, "address", "add", address, "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
        yield (head, "10.99.0.1"), (node, "10.99.0.2")
    finally:
        for name in NAMES:
            _ip("netns", "del", name, check=False)


def on(host, command, site, notebooks, hidden=None):
    """Start a command on a host; there `hidden` is an empty folder."""
    if hidden:
        mount = 'mount -t tmpfs none "$0" && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", mount, str(hidden), *command]
    variables = {
        "PYTHONPATH": str(stand_ins.REPOSITORY),
        "NOTEBOOKS_DIR": str(notebooks),
        MARK: str(site.folder),
    }
    return subprocess.Popen(
        ["ip", "netns", "exec", host, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=notebooks.parent,
        env=os.environ | variables,
    )


@pytest.mark.slow
def test_workers_on_another_host_without_a_shared_folder(hosts, tmp_path):
    (head, address), (node, _) = hosts
    head_folder, node_folder = tmp_path / "head", tmp_path / "node"
    site, other = Site(head_folder), Site(node_folder)
    dask, own = [sys.executable, "-m", "dask"], head_folder / "notebooks"
    foreign = node_folder / "notebooks"
    started = []
    try:
        command = [*dask, "scheduler", "--host", address, "--port", "8786"]
        started.append(on(head, [*command, "--no-dashboard"], site, own))
        scheduler = f"tcp://{address}:8786"
        command = [*dask, "worker", scheduler, "--nworkers", "2", "--nthreads", "1"]
        command += ["--no-dashboard", "--local-directory", str(node_folder)]
        started.append(on(node, command, other, foreign, hidden=head_folder))
        command = [sys.executable, "-m", "helpers.sweep", "--set", "seed=1,2,3"]
        command += ["--set", "notice=one,two", "--scheduler", scheduler]
        sweep = on(head, [*command, "--out", str(site.out)], site, own)
        started.append(sweep)
        output, errors = sweep.communicate(timeout=300)
        assert sweep.returncode == 0, output + errors
        rows = site.rows()
        assert len(rows) == 6
        assert {row["status"] for row in rows} == {"done"}
        workers = {row["worker"] for row in rows}
        assert len(workers) == 2
        assert all(worker.startswith("tcp://10.99.0.2:") for worker in workers)
        for row in rows:
            assert (site.out / "runs" / row["run"] / "published/model.tflite").exists()
    finally:
        for process in reversed(started):
            process.kill()
            process.communicate()
        site.close()
        other.close()
