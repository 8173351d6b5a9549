// Part 3 of 4, the board: a chip with the published sketch reads the drawing, too, over
// Web Serial. The protocol is described at the top of the sketch, and the host's side of
// it is that of helpers/board.py.

const BAUD = 115200;
const PATIENCE = 1000; // milliseconds until a row is sent again
const TIME_TO_START = 10000; // milliseconds: a board may wait for an upload first
const MOST_FAILURES = 10; // before a board is given up
const LAST_ROW = 27;
const GREETING = /^digits 1, (\S+) ([0-9a-f]{8}), self-test (passed|FAILED)$/;
const NEXT = /^next (\d+)$/;
const AGAIN = /^again (\d+)$/;
const ANSWER = /^digit (\d), logits((?: -?\d+){10}), (\d+) microseconds$/;
const WHY_NOT_OPENED = {
  NotFoundError: "", // nobody chose a port
  NetworkError: "The port is in use: close the Arduino IDE's serial monitor.",
  SecurityError: "This viewer allows no serial port: open the page in Chrome or Edge.",
};

class BoardError extends Error {}

// The host's side of the protocol, on an open port.
class Board {
  constructor(port) {
    this.port = port;
    this.writer = port.writable.getWriter();
    this.reader = port.readable.getReader();
    this.received = ""; // of a line that has not ended
    this.lines = [];
    this.isGone = false;
    this.wake = () => {}; // whoever waits for a line
    this.receive();
  }

  async receive() {
    try {
      for (;;) {
        const { value, done } = await this.reader.read();
        if (done) break;
        this.received += String.fromCharCode(...value);
        const lines = this.received.split("\n");
        this.received = lines.pop();
        this.lines.push(...lines);
        this.wake();
      }
    } catch (error) {
      console.error(error);
    }
    this.isGone = true;
    this.wake();
  }

  async close() {
    await this.reader.cancel().catch(() => {});
    this.reader.releaseLock();
    this.writer.releaseLock();
    await this.port.close().catch(() => {});
  }

  async send(text) {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    await this.writer.write(bytes).catch(() => {
      this.isGone = true;
    });
  }

  // Resolves to the next line, or to null if there is none for a while.
  async line() {
    const end = Date.now() + PATIENCE;
    while (this.lines.length === 0 && !this.isGone && Date.now() < end) {
      await new Promise((resolve) => {
        this.wake = resolve; // when some bytes have come
        setTimeout(resolve, end - Date.now());
      });
    }
    if (this.isGone) throw new BoardError("The board is gone: check its cable.");
    return this.lines.length > 0 ? this.lines.shift() : null;
  }

  // Resolves to what the board says of itself: { name, sha256, passed }.
  async greeting() {
    const end = Date.now() + TIME_TO_START;
    let heard = false;
    while (Date.now() < end) {
      const line = await this.line();
      const found = GREETING.exec(checked(line) ?? "");
      if (found !== null) {
        return { name: found[1], sha256: found[2], passed: found[3] === "passed" };
      }
      heard = heard || line !== null;
      await this.send("?");
    }
    throw new BoardError(
      heard
        ? "The board runs another sketch: upload the one in published/arduino/."
        : "The board does not answer: upload the sketch in published/arduino/.",
    );
  }

  // Resolves to what the board makes of 784 int8 values: { digit, logits, microseconds }.
  async read(image_i8) {
    let row = 0;
    let failures = 0; // since a row was confirmed
    let restarts = 0; // the board has forgotten rows, as after a reset
    while (failures < MOST_FAILURES && restarts < MOST_FAILURES) {
      await this.send(rowLine(row, image_i8.slice(28 * row, 28 * row + 28)));
      const reply = await this.reply(row);
      if (reply.answer) return reply.answer;
      failures = reply.next > row ? 0 : failures + 1;
      if (reply.next < row) restarts += 1;
      row = reply.next;
    }
    throw new BoardError("The board has stopped answering: press its reset button.");
  }

  // Resolves to the reply to `row`: { answer }, or { next }, the row to send next. That is
  // `row` again if nothing comes, or something damaged. Replies to earlier rows are ignored.
  async reply(row) {
    const end = Date.now() + PATIENCE;
    while (Date.now() < end) {
      const line = await this.line();
      if (line !== null && line.trim() === "") continue; // an end of line, sent twice
      const text = checked(line);
      if (text === null) return { next: row };
      const again = AGAIN.exec(text);
      if (again !== null) return { next: Number(again[1]) };
      const confirmed = NEXT.exec(text);
      if (confirmed !== null && Number(confirmed[1]) === row + 1) {
        return { next: row + 1 };
      }
      const answer = ANSWER.exec(text);
      if (answer !== null && row === LAST_ROW) {
        const logits = answer[2].trim().split(" ").map(Number);
        const microseconds = Number(answer[3]);
        return { answer: { digit: Number(answer[1]), logits, microseconds } };
      }
    }
    return { next: row };
  }
}

function rowLine(row, pixels_i8) {
  const bytes = Uint8Array.from([row, ...pixels_i8]); // -128 becomes 128, as in C
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `:${hex}${crcOf(bytes)}\n`;
}

// The text of a line that ends with its own check sum, else null.
function checked(line) {
  const [, text, crc] = /^(.*)\*([0-9A-F]{4})\s*$/.exec(line ?? "") ?? [];
  if (text === undefined) return null;
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  return crcOf(bytes).toUpperCase() === crc ? text : null;
}

// CRC-16 with the polynomial 0x1021, as four hex digits.
function crcOf(bytes) {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      const shifted = crc << 1;
      crc = (crc & 0x8000 ? shifted ^ 0x1021 : shifted) & 0xffff;
    }
  }
  return crc.toString(16).padStart(4, "0");
}

// The button that connects a board, and the sentence that says what the board reads.
class BoardPanel {
  constructor(root, data) {
    this.data = data;
    this.board = null;
    this.shown = null; // what the page has read; null for an empty pad
    this.wanted = null; // the same, until the board reads it
    this.isBusy = false;
    this.button = root.querySelector(".connect");
    this.text = root.querySelector(".on-board");
    root.querySelector(".board").hidden = !("serial" in navigator);
    this.button.addEventListener("click", () => this.connect());
  }

  say(text) {
    this.text.textContent = text;
  }

  async connect() {
    let board = null;
    this.button.disabled = true;
    try {
      const port = await navigator.serial.requestPort();
      this.say("Waiting for the board…");
      await port.open({ baudRate: BAUD });
      board = new Board(port);
      const greeting = await board.greeting();
      this.check(greeting);
      this.say(`The board has this model, ${greeting.sha256}: draw a digit.`);
      this.board = board;
      this.work();
    } catch (error) {
      if (board !== null) await board.close();
      this.fail(error);
    }
  }

  check(greeting) {
    if (greeting.sha256 !== this.data.sha256) {
      throw new BoardError(
        `The board has another model, ${greeting.sha256} of ${greeting.name}, and not ` +
          `${this.data.sha256}: upload the sketch in published/arduino/.`,
      );
    }
    if (!greeting.passed) {
      throw new BoardError("The board's own self-test failed: upload the sketch again.");
    }
  }

  fail(error) {
    this.board = null;
    this.button.disabled = false;
    const known = error instanceof BoardError ? error.message : WHY_NOT_OPENED[error.name];
    if (known === undefined) console.error(error);
    this.say(known ?? `The board cannot be used: ${error.message}`);
  }

  // Lets the board read what the page has read: { image_i8, logits_i8 }, or null.
  show(answer) {
    this.shown = answer;
    this.wanted = answer;
    if (this.board === null) return;
    if (answer === null) this.say("");
    this.work();
  }

  // The board is slower than a hand: it always reads the newest drawing.
  async work() {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      while (this.wanted !== null) {
        const asked = this.wanted;
        this.wanted = null;
        this.say("The board is reading…");
        const found = await this.board.read(asked.image_i8);
        if (this.shown === asked) this.say(comparison(found, asked.logits_i8));
      }
    } catch (error) {
      await this.board.close();
      this.fail(error);
    }
    this.isBusy = false;
  }
}

function comparison(found, logits_i8) {
  let differ = 0;
  for (let digit = 0; digit < DIGITS; digit++) {
    if (found.logits[digit] !== logits_i8[digit]) differ += 1;
  }
  const name = found.digit === 8 ? "an 8" : `a ${found.digit}`;
  const time = Math.round(found.microseconds / 1000);
  const same = differ === 0 ? "All ten logits are" : `${differ} of ten logits are not`;
  return `Your board reads ${name}, in ${time} ms. ${same} those of this page.`;
}
