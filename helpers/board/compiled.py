"""The array as a compiler sees it: compile the published source and read it back."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from helpers.board.c_files import array_symbol
from helpers.errors import TutorialError

COMPILERS = ("g++", "clang++", "c++")
_TIMEOUT = 120  # seconds

# It includes nothing but the header, as a board's program would.
_PROGRAM = """\
#include <stdio.h>

#include "{header}"

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

int main() {{
#ifdef _WIN32
  _setmode(_fileno(stdout), _O_BINARY);
#endif
  return fwrite({symbol}, 1, {symbol}_len, stdout) == {symbol}_len ? 0 : 1;
}}
"""


def find_compiler():
    """Return the path of a C++ compiler for this computer, or None.

    Whoever programs boards may have a cross compiler in the environment variable
    ``CXX``; what that makes could not be run here.
    """
    return next(filter(None, map(shutil.which, COMPILERS)), None)


def compiled_bytes(name, files, compiler):
    """Compile the published C array, link it to a program, and get its bytes back.

    Parameters
    ----------
    name : str
        Of the run.
    files : dict of str to bytes
        From `helpers.board.publish.files_to_publish`.
    compiler : str
        Such as `find_compiler` gives.

    Returns
    -------
    bytes
        What the array holds in the finished program.

    Raises
    ------
    TutorialError
        If it does not compile without a warning, link or run.
    """
    with tempfile.TemporaryDirectory() as folder:
        for path in (f"{name}_int8.cc", f"{name}_int8.h"):
            Path(folder, path).write_bytes(files[path])
        program = _PROGRAM.format(header=f"{name}_int8.h", symbol=array_symbol(name))
        Path(folder, "main.cc").write_text(program, encoding="ascii")
        executable = str(Path(folder, "program.exe"))
        strict = ["-std=c++11", "-Wall", "-Wextra", "-Werror"]
        _call(
            [compiler, *strict, "main.cc", f"{name}_int8.cc", "-o", executable], folder
        )
        return _call([executable], folder)


def _call(command, folder):
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TutorialError(f"The C array could not be compiled: {error}.") from error
    if done.returncode != 0:
        message = (
            done.stderr.decode(errors="replace").strip() or "it ended with an error"
        )
        raise TutorialError(
            f"The C array could not be compiled with {Path(command[0]).name}: {message}"
        )
    return done.stdout
