"""What a board on a serial port answers, and a sentence for each way that it fails."""

import binascii
import contextlib
import errno
import hashlib
import itertools
import os
import re
import socket
import sys
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
import serial

from conftest import tflm_logits
from helpers import board, c_templates, runs
from helpers.files import TutorialError
from helpers.parameters import Parameter

SHA256 = "0123abcd" + 56 * "0"
IMAGES = np.zeros((3, 28, 28, 1), np.int8)
LABELS = np.zeros(3, int)
LOGITS = np.zeros((3, 10), np.int8)
GREETING = "digits 1, mnist_cnn 0123abcd, self-test passed"


def _line(text):
    return f"{text}*{binascii.crc_hqx(text.encode(), 0xFFFF):04X}\r\n".encode()


@pytest.fixture
def pretend():
    """Return a function that starts a board which says what it is told to say.

    It says `first` when the port is opened and after a question mark, one of `replies`
    to each line, each after `seconds`, and at last nothing, unless it hangs up.
    """
    servers = []

    def start(first=b"", replies=(), hangs_up=False, seconds=0):
        server = socket.create_server(("localhost", 0))
        servers.append(server)

        def serve():
            left = iter(replies)
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):  # the test has hung up
                connection.sendall(first)
                while received := connection.recv(1000):
                    if received == b"?" and first:
                        connection.sendall(first)
                        continue
                    reply = next(left, b"")
                    if reply == b"" and hangs_up:
                        return
                    time.sleep(seconds)
                    connection.sendall(reply)

        threading.Thread(target=serve, daemon=True).start()
        return f"socket://localhost:{server.getsockname()[1]}"

    yield start
    for server in servers:
        server.close()


def _sentence(url, patience=0.1):
    """Return the one sentence that the test on the board at `url` ends with."""
    with pytest.raises(TutorialError) as raised:
        board.test(url, "mnist_cnn", SHA256, IMAGES, LABELS, LOGITS, patience)
    return str(raised.value)


@pytest.mark.tflm
def test_emulated_uno_reads_images_as_tflm_does(uno, candidate):
    images = candidate.data["test_images"][:20]
    labels = candidate.data["test_labels"][:20]
    sha256 = hashlib.sha256(candidate.model_bytes).hexdigest()
    logits = tflm_logits(candidate.runtime, images)
    with uno() as running:
        found = board.test(running.url, "mnist-cnn", sha256, images, labels, logits)
    assert found.images == 20
    answers = candidate.scores_i8[:20].argmax(axis=1)
    assert found.correct == int((answers == labels).sum())
    assert found.differing_logits == 0
    assert 275 < found.milliseconds <= 450


@pytest.mark.tflm
def test_emulated_uno_with_another_model_is_told_from_its_greeting(uno):
    with uno() as running:
        sentence = _sentence(running.url)
    assert " of the run mnist-cnn, but 0123abcd is published here; " in sentence
    assert "upload published/arduino/mnist_cnn/mnist_cnn.ino" in sentence
    assert "run this cell again, or the batch command with --start-at 6." in sentence


def _answers(digit, logits, microseconds):
    """Return the replies of a board that gives the same answer to each image."""
    numbers = " ".join(str(value) for value in logits)
    answer = f"digit {digit}, logits {numbers}, {microseconds} microseconds"
    confirmations = [_line(f"next {row}") for row in range(1, 28)]
    return [*confirmations, _line(answer)]


def test_right_digits_and_differing_logits_are_counted(pretend):
    replies = 3 * _answers(7, [1, 0, 0, 0, 0, 0, 0, 9, 0, -8], 362_500)
    url = pretend(_line(GREETING), replies)
    labels = np.array([7, 2, 7])
    found = board.test(url, "mnist_cnn", SHA256, IMAGES, labels, LOGITS)
    assert found == board.BoardRun(3, 2, 9, 362.5)


def test_reply_to_a_row_sent_twice_is_no_reply_to_the_next(pretend):
    replies = _answers(7, range(10), 1)
    replies[4] = replies[4] + replies[4]
    replies[5] = _line("next 5") + replies[5]
    replies[9] = _answers(1, range(10), 1)[-1] + replies[9]  # of an image before
    url = pretend(_line(GREETING), replies)
    found = board.test(url, "n", SHA256, IMAGES[:1], LABELS[:1] + 7, LOGITS[:1])
    assert found.correct == 1


def test_damaged_answer_is_asked_for_again(pretend):
    replies = _answers(7, range(10), 1)
    damaged = replies[-1].replace(b"digit 7", b"digit 1")
    url = pretend(_line(GREETING), [*replies[:-1], damaged, replies[-1]])
    found = board.test(url, "n", SHA256, IMAGES[:1], LABELS[:1] + 7, LOGITS[:1])
    assert found.correct == 1


def test_port_is_recorded_with_no_artifact(monkeypatch, tmp_path):
    lines = [
        Parameter("save_model_name", str, "n", "name of this run"),
        Parameter("serial_port", str, "", "of your board"),
    ]
    declared = {line.name: line for line in lines}
    monkeypatch.setattr(runs, "declared", lambda path: declared)
    monkeypatch.setenv("ARTIFACTS_DIR", str(tmp_path))
    values = {"save_model_name": "n", "serial_port": "COM3"}
    run = runs.open("06_test_quantized_model", values)
    values["serial_port"] = "COM4"  # the one parameter that may change on the way
    run.save("06_results.json", {})
    assert run.history() == {"save_model_name": "n"}
    assert "COM" not in (tmp_path / "n" / "06_results.json.json").read_text()


def test_missing_port_is_named(monkeypatch):
    ports = [PretendedPort("COM3", 0x2341), PretendedPort("COM1", None)]
    monkeypatch.setattr(board.serial.tools.list_ports, "comports", lambda: ports)
    name = "COM93" if sys.platform == "win32" else "/dev/ttyACM93"
    assert _sentence(name).startswith(
        f"The serial port {name} cannot be opened, and USB ports are COM3; connect"
    )


@dataclass
class PretendedPort:
    device: str
    vid: int | None  # the maker's number, of a USB port


def test_port_without_a_listener_is_missing():
    assert "cannot be opened" in _sentence("socket://localhost:1")


def test_url_of_no_known_kind_is_missing():
    assert "cannot be opened" in _sentence("sockets://localhost:1")


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals: run Linux")
def test_port_is_opened_at_the_speed_of_the_sketch(monkeypatch):
    found = {}

    def refuse(url, **options):
        found.update(options)
        raise serial.SerialException("refused")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    _sentence("COM3")
    sketch = (c_templates.FOLDER / "arduino" / "read_digit.ino").read_text()
    assert f"Serial.begin({found['baudrate']});" in sketch


def test_busy_port_is_told_from_a_missing_one():
    import fcntl

    main, terminal = os.openpty()
    fcntl.flock(terminal, fcntl.LOCK_EX)
    assert "is in use by another program; close" in _sentence(os.ttyname(terminal))
    os.close(main)
    os.close(terminal)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        # As pyserial reports it on Linux and macOS, and on Windows.
        (serial.SerialException(errno.EBUSY, "could not open port"), "is in use"),
        (serial.SerialException("PermissionError(13, 'Access is de"), "is in use"),
        (serial.SerialException(errno.EACCES, "could not open"), "dialout $USER`"),
        (serial.SerialException("FileNotFoundError(2, 'The syst"), "cannot be opened"),
    ],
)
def test_port_that_may_not_be_opened_is_explained(monkeypatch, error, words):
    def refuse(*arguments, **options):
        raise error

    monkeypatch.setattr(board.serial, "serial_for_url", refuse)
    assert words in _sentence("COM3")


def test_silent_board_is_named(pretend, monkeypatch):
    monkeypatch.setattr(board, "_SECONDS_TO_START", 0.5)
    assert _sentence(pretend()).startswith("Nothing answers on socket://localhost:")


@pytest.mark.parametrize("sent", [b"Temperature 21\r\n", b"\xff\x00" * 500])
def test_another_sketch_is_quoted(pretend, monkeypatch, sent):
    monkeypatch.setattr(board, "_SECONDS_TO_START", 0.5)
    sentence = _sentence(pretend(sent, [sent] * 20))
    quoted = sent[:40].decode("ascii", "replace").strip()
    assert f"runs another sketch, which sends {quoted!r}; upload" in sentence


def test_board_that_greets_only_when_asked_is_found(pretend):
    replies = [_line(GREETING), *_answers(0, range(10), 1)]
    found = board.test(
        pretend(b"", replies), "n", SHA256, IMAGES[:1], LABELS[:1], LOGITS[:1], 0.2
    )
    assert found.images == 1


def test_board_whose_self_test_failed_is_refused(pretend):
    url = pretend(_line(GREETING.replace("passed", "FAILED")))
    assert "computes other logits than it should" in _sentence(url)


def test_pulled_cable_says_how_far_the_test_came(pretend):
    url = pretend(_line(GREETING), _answers(0, range(10), 1), hangs_up=True)
    sentence = _sentence(url, patience=5)  # so that no row is sent twice
    assert "stopped answering after 1 of 3 images (" in sentence
    assert "what was published is untouched" in sentence


def test_slow_board_that_confirms_each_row_in_time_is_not_given_up(pretend):
    url = pretend(_line(GREETING), _answers(7, range(10), 1), seconds=0.16)
    found = board.test(url, "n", SHA256, IMAGES[:1], LABELS[:1], LOGITS[:1], 0.2)
    assert found.images == 1


def test_board_that_falls_silent_is_given_up(pretend):
    url = pretend(_line(GREETING), _answers(0, range(10), 1)[:5])
    assert "after 0 of 3 images (it did not confirm row 5)" in _sentence(url)


def test_board_that_starts_again_and_again_is_given_up(pretend):
    replies = itertools.cycle([_line("next 1"), _line("again 0")])
    sentence = _sentence(pretend(_line(GREETING), replies))
    assert re.search(r"after 0 of 3 images \(it did not confirm row [01]\)", sentence)


class PortThatGreets:
    """A port on which a board greets all the time."""

    timeout = 0.01
    lines = 0

    def write(self, line):
        pass

    def read_until(self, *_):
        self.lines += 1
        assert self.lines < 5000, "it is listened to without end"
        time.sleep(0.001)
        return _line(GREETING)


def test_board_that_greets_without_end_is_given_up():
    with pytest.raises(serial.SerialException, match="it did not confirm row 0"):
        board.read(PortThatGreets(), IMAGES[0])
