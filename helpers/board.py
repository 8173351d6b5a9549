"""Let a board on a serial port read test images, and compare its answers.

The board runs the published sketch; the protocol is described at the top of
``helpers/c/arduino/read_digit.ino``. Row after row is sent, each with a check sum, and
sent again until the board confirms it: a bad line costs time and changes no answer.
"""

import binascii
import errno
import re
import sys
import time
from dataclasses import dataclass

import numpy as np
import serial
import serial.tools.list_ports
import tqdm

from helpers import arduino
from helpers.files import TutorialError

_GREETING = re.compile(
    r"digits 1, (?P<name>\S+) (?P<sha256>[0-9a-f]{8}), self-test (?P<test>\w+)"
)
_NEXT = re.compile(r"next (\d+)")
_AGAIN = re.compile(r"again (\d+)")
_ANSWER = re.compile(r"digit (\d), logits((?: -?\d+){10}), (\d+) microseconds")
_BAUD = 115200
_SECONDS_TO_START = 10  # an Uno waits two for an upload; then it tests itself
_MOST_WAITS = 10  # for one more row to be confirmed, before the board is given up
_LONGEST_LINE = 200  # bytes; the sketch sends shorter ones


@dataclass(frozen=True)
class BoardRun:
    """What a board made of test images."""

    images: int
    correct: int  # images whose digit is the label
    differing_logits: int  # of 10 an image
    milliseconds: float  # of computing an image, by the board's own clock, on average


@dataclass(frozen=True)
class Answer:
    """What a board makes of one image."""

    digit: int
    logits: list  # ten whole numbers
    microseconds: int  # of computing, by the board's own clock


def test(serial_port, name, model_sha256, images_i8, labels, logits, patience=1.0):
    """Return a `BoardRun`: what the board on `serial_port` made of `images_i8`.

    `serial_port` is a device such as ``COM3`` or ``/dev/ttyACM0``, or a URL of pyserial
    such as ``socket://localhost:5555``. `name` and `model_sha256` say which sketch is
    expected there. `images_i8` are N images of 784 int8 pixels; `logits` is what
    TensorFlow Lite Micro gives for them, int8 of shape (N, 10). `patience` is how many
    seconds the board may take to confirm a row before the row is sent again.

    TutorialError if the port is missing or may not be opened, if no board with this
    model answers there, or if it stops answering.
    """
    answers = []
    with _opened(serial_port, patience) as port:
        try:
            check_model(port, name, model_sha256)
            bar = tqdm.tqdm(images_i8, "on the board", file=sys.stdout, leave=False)
            for image in bar:
                answers.append(read(port, image))
        except serial.SerialException as error:
            raise TutorialError(
                f"The board on {serial_port} stopped answering after {len(answers)} of "
                f"{len(images_i8)} images ({error}); check its cable, then run this "
                "cell again: what was published is untouched."
            ) from error
    digits = np.array([answer.digit for answer in answers])
    found = np.array([answer.logits for answer in answers])
    microseconds = [answer.microseconds for answer in answers]
    return BoardRun(
        images=len(answers),
        correct=int((digits == labels).sum()),
        differing_logits=int((found != logits).sum()),
        milliseconds=float(np.mean(microseconds)) / 1000,
    )


def check_model(port, name, model_sha256):
    """Raise a TutorialError unless the board on `port` runs the model expected."""
    upload = f"upload published/{arduino.sketch_path(name)} with the Arduino IDE"
    greeting = _greeting(port, upload)
    if greeting["sha256"] != model_sha256[:8]:
        raise TutorialError(
            f"The board on {port.name} has the model {greeting['sha256']} of the run "
            f"{greeting['name']}, but {model_sha256[:8]} is published here; {upload}, "
            "then run this cell again, or the batch command with --start-at 6."
        )
    if greeting["test"] != "passed":
        raise TutorialError(
            f"The board on {port.name} computes other logits than it should for the "
            f"image in its sketch; {upload} again, built by the board's own package."
        )


def _greeting(port, upload):
    """Return the match of `_GREETING` with what the board on `port` says.

    It greets when it starts, which opening the port may cause, and when it is asked.
    """
    heard = b""  # the first line that was no greeting
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        line = port.read_until(b"\n", _LONGEST_LINE)
        greeting = _GREETING.fullmatch(_checked(line) or "")
        if greeting:
            return greeting
        heard = heard or line.strip()
        port.write(b"?")
    if heard:
        sent = heard[:40].decode("ascii", "replace")
        raise TutorialError(
            f"The board on {port.name} runs another sketch, which sends {sent!r}; "
            f"{upload}, then run this cell again."
        )
    raise TutorialError(
        f"Nothing answers on {port.name}, but a board with the published sketch "
        f"is expected there; {upload}, then run this cell again."
    )


def read(port, image_i8):
    """Return the `Answer` of the board on `port` for 784 int8 pixels.

    SerialException if the port is gone, or if the board does not come to an answer.
    """
    rows = np.reshape(image_i8, (28, 28))
    row = 0
    furthest = -1
    while True:
        if row > furthest:
            furthest = row
            deadline = time.monotonic() + _MOST_WAITS * port.timeout
        if time.monotonic() > deadline:
            raise serial.SerialTimeoutException(f"it did not confirm row {row}")
        port.write(_row_line(row, rows[row]))
        reply = _reply(port, row)
        if isinstance(reply, Answer):
            return reply
        row = reply


def _reply(port, row):
    """Return the reply to `row`: an `Answer`, or which row to send next.

    That is `row` again if nothing comes, or something damaged. What does not belong to
    `row` is the reply to a row that was sent twice, and is ignored.
    """
    deadline = time.monotonic() + port.timeout
    while time.monotonic() < deadline:
        text = _checked(port.read_until(b"\n", _LONGEST_LINE))
        if text is None:
            return row
        again = _AGAIN.fullmatch(text)
        if again:
            return int(again[1])
        confirmed = _NEXT.fullmatch(text)
        if confirmed and int(confirmed[1]) == row + 1:
            return row + 1
        answer = _ANSWER.fullmatch(text)
        if answer and row == 27:
            logits = [int(value) for value in answer[2].split()]
            return Answer(int(answer[1]), logits, int(answer[3]))
    return row


def _row_line(row, pixels_i8):
    content = bytes([row]) + pixels_i8.tobytes()
    return f":{content.hex()}{_crc(content):04x}\n".encode()


def _checked(line):
    """Return the text of a line that ends with its own check sum, else None."""
    text, star, crc = line.strip().rpartition(b"*")
    if not star or crc != b"%04X" % _crc(text):
        return None
    return text.decode("ascii", "replace")


def _crc(content):
    return binascii.crc_hqx(content, 0xFFFF)  # CRC-16, polynomial 0x1021


def _opened(serial_port, patience):
    """Return a port that is open, for this program alone."""
    try:
        return serial.serial_for_url(
            serial_port,
            baudrate=_BAUD,
            timeout=patience,
            write_timeout=_SECONDS_TO_START,
            exclusive=True,
        )
    except (serial.SerialException, ValueError) as error:
        raise TutorialError(_why_closed(serial_port, error)) from error


def _why_closed(serial_port, error):
    """Return the sentence for a port that cannot be opened."""
    number = getattr(error, "errno", None)  # pyserial has one on Linux and macOS only
    if number in (errno.EBUSY, errno.EWOULDBLOCK) or "PermissionError" in str(error):
        return (
            f"The serial port {serial_port} is in use by another program; close the "
            "Arduino IDE's serial monitor, then run this cell again."
        )
    if number == errno.EACCES:
        return (
            f"You are not allowed to open the serial port {serial_port}; on Linux run "
            "`sudo usermod -a -G dialout $USER`, then log out and in."
        )
    ports = serial.tools.list_ports.comports()
    usb = [port.device for port in ports if port.vid is not None]
    found = f"USB ports are {', '.join(usb)}" if usb else "no board is connected by USB"
    return (
        f"The serial port {serial_port} cannot be opened, and {found}; connect the "
        "board, and set serial_port to the port that the Arduino IDE shows under Tools."
    )
