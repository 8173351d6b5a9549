"""The published C on processors: compiled for each, and run, byte for byte as it is.

`emulate` runs it on an emulated Cortex-M0 or Cortex-M3 with little memory, `run_here`
on this computer, and `webassembly` makes a module for a web page. The compiler for all
of them is zig's, from the package ``ziglang``: Clang for every target in one wheel, on
Linux, Windows and macOS. Compilers, programs and emulators run in processes of their
own, so that a crash there is one sentence here.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers import c_templates
from helpers.files import TutorialError, check_temporary_folder
from helpers.runs import REPOSITORY

PROCESSORS = ("cortex-m3", "cortex-m0")
_TIMEOUT = 600  # seconds, for each compiler and each program
_REMEDY_INSTALL = "run pip install -r requirements.txt in the environment that you use"
_REMEDY_FOLDER = (
    "set the environment variable TMPDIR (Windows: TEMP) to a folder on a disk with "
    "free space from which programs may be started"
)


@dataclass(frozen=True)
class ProcessorRun:
    """What the network took on an emulated processor, and what it answered."""

    processor: str
    flash_bytes: int  # code, weights and all other constants
    static_bytes: int  # variables
    stack_bytes: int  # at most, as painted memory shows
    used_bytes: int  # of RAM: variables, an image, its logits and the stack
    instructions: int  # for one image; not clock cycles, which are not emulated
    logits: np.ndarray  # int8, (images, 10)


def emulate_all(name, files, images_i8, ram_bytes):
    """Return what `emulate` does for each of `PROCESSORS`, which run side by side."""

    def run(processor):
        return emulate(name, files, images_i8, processor, ram_bytes)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(run, PROCESSORS))


def emulate(name, files, images_i8, processor, ram_bytes):
    """Run the published C on an emulated processor; return a `ProcessorRun`.

    `files` are the published files of the run `name`, by path. `images_i8` are int8,
    (images, 28, 28, 1). `processor` is one of `PROCESSORS`. It has `ram_bytes` of RAM,
    a multiple of 1,024, for variables, image, logits and stack: an access beyond them
    is an error. TutorialError if anything cannot be run.
    """
    options = [
        "-target",
        "thumb-freestanding-eabi",
        f"-mcpu={processor.replace('-', '_')}",
        "-Os",
        "-ffreestanding",
        "-ffunction-sections",
        f"-Wl,--gc-sections,-e,{c_templates.c_name(name)}_classify",
        "-T",
        c_templates.FOLDER / "cortex_m.ld",
    ]
    with _folder() as folder:
        _compile(files, options, folder, "program.elf")
        program = folder / "program.elf"
        found = _run_emulator(program, images_i8, processor, ram_bytes)
    logits = np.frombuffer(bytes.fromhex(found["logits"]), np.int8)
    return ProcessorRun(
        processor=processor,
        flash_bytes=found["flash_bytes"],
        static_bytes=found["static_bytes"],
        stack_bytes=found["stack_bytes"],
        used_bytes=found["used_bytes"],
        instructions=found["instructions"],
        logits=logits.reshape(len(images_i8), -1),
    )


def _run_emulator(program, images_i8, processor, ram_bytes):
    """Return what the emulator found, by name; TutorialError if that is an error."""
    command = [sys.executable, "-m", "helpers.emulator"]
    command += [program, processor, str(ram_bytes)]
    printed = _call(
        what="The emulator",
        command=command,
        folder=REPOSITORY,
        remedy=_REMEDY_INSTALL,
        given=images_i8.tobytes(),
    )
    found = json.loads(printed)
    if "error" in found:
        raise TutorialError(
            f"On an emulated {processor} with {ram_bytes:,} bytes of RAM the plain C "
            f"{found['error']}; give it more RAM, or make the network smaller in "
            "notebook 3."
        )
    return found


def run_here(name, files, images_i8):
    """Run the published C on this computer; return its logits, int8 (images, 10).

    Arguments as for `emulate`. TutorialError if anything cannot be run.
    """
    scope = c_templates.c_name(name)
    options = [
        "-O2",
        "-include",
        f"{name}_int8_inference.h",
        f"-DCLASSIFY={scope}_classify",
        f"-DIMAGE_BYTES={scope.upper()}_IMAGE_BYTES",
        f"-DLOGITS={scope.upper()}_LOGITS",
        c_templates.FOLDER / "run_images.c",
    ]
    with _folder() as folder:
        program = folder / "program.exe"  # other systems do not mind the ending
        _compile(files, options, folder, program.name)
        printed = _call(
            what="The plain C, compiled for this computer,",
            command=[program],
            folder=folder,
            remedy=_REMEDY_FOLDER,
            given=images_i8.tobytes(),
        )
    return np.frombuffer(printed, np.int8).reshape(len(images_i8), -1)


def webassembly(name, files):
    """Return the published C as the bytes of a WebAssembly module.

    It exports its memory and the function ``…_int8_classify``. TutorialError if the
    compiler cannot be run.
    """
    options = [
        "-target",
        "wasm32-freestanding",
        "-O2",
        f"-Wl,--no-entry,--strip-all,--export={c_templates.c_name(name)}_classify",
    ]
    with _folder() as folder:
        _compile(files, options, folder, "program.wasm")
        return (folder / "program.wasm").read_bytes()


def _compile(files, options, folder, output):
    """Write the C of the published `files` to a folder, and compile it with zig."""
    for path, content in files.items():
        if "/" not in path and path.endswith((".c", ".h")):
            (folder / path).write_bytes(content)
    command = [sys.executable, "-m", "ziglang", "cc", "-std=c99"]
    command.append("-fno-sanitize=all")  # zig would compile traps in
    command += ["-I", folder, "-o", folder / output]
    command += options
    command += sorted(folder.glob("*.c"))
    cache = str(_cache())
    kept = {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    _call(
        what="The compiler zig",
        command=command,
        folder=folder,
        remedy=f"{_REMEDY_INSTALL}, or {_REMEDY_FOLDER}",
        environment=kept,
    )


def _call(what, command, folder, remedy, given=b"", environment=None):
    """Run a command in a folder and return the bytes that it prints.

    `given` is what it reads from its standard input, `environment` the variables that
    it gets besides this process' own. TutorialError with `remedy` if it fails.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            input=given,
            capture_output=True,
            timeout=_TIMEOUT,
            env={**os.environ, **(environment or {})},
        )
    except OSError as error:
        reason = error.strerror or error
        raise TutorialError(f"{what} cannot be started: {reason}; {remedy}.") from error
    except subprocess.TimeoutExpired as error:
        raise TutorialError(
            f"{what} did not end within {_TIMEOUT} seconds; close other programs, and "
            "run it again."
        ) from error
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise TutorialError(
            f"{what} ended with code {done.returncode} instead of 0 and said "
            f"{said[-400:]!r}; {remedy}."
        )
    return done.stdout


@contextlib.contextmanager
def _folder():
    """Give the path of a temporary folder; what cannot be written is a sentence."""
    check_temporary_folder()
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    except OSError as error:
        raise TutorialError(
            f"The plain C cannot be compiled in {tempfile.gettempdir()}: "
            f"{error.strerror or error}; {_REMEDY_FOLDER}."
        ) from error


def _cache():
    """Return the folder of the user's own where zig keeps what it has compiled.

    The first call of zig takes seconds to build a run-time library, later calls take a
    fifth of a second.
    """
    user = os.getuid() if hasattr(os, "getuid") else ""  # Windows has one for each user
    cache = Path(tempfile.gettempdir(), f"mnist-to-microcontroller-zig{user}")
    cache.mkdir(mode=0o700, exist_ok=True)
    if user != "" and cache.stat().st_uid != user:
        raise TutorialError(f"{cache} belongs to another user; {_REMEDY_FOLDER}.")
    return cache
