// Part 4 of 4, the page: strokes become ink, and the answers words and bars.

const PAPER = 280; // side of the pad's paper, in its own pixels
const PEN = 22; // width of a stroke
// A small seven in a corner, where preparation makes a difference.
const EXAMPLE = [
  [182, 35],
  [213, 34],
  [245, 32],
  [225, 70],
  [209, 115],
];
const NO_WEBASSEMBLY =
  "The pad runs the model as WebAssembly, which this viewer does not allow: " +
  "open this page in another web browser.";

class Pad {
  constructor(host, root, data, network) {
    this.root = root;
    this.data = data;
    this.network = network;
    this.last = null; // where the pen is while it is down
    this.frame = 0; // the next reading, if one is due
    this.canvas = this.find(".pad canvas");
    this.canvas.width = PAPER;
    this.canvas.height = PAPER;
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
    this.pen.strokeStyle = "white";
    this.pen.lineWidth = PEN;
    this.pen.lineCap = "round";
    this.find(".source").textContent =
      `What reads your drawing is ${data.source}, compiled for this page.`;
    this.board = new BoardPanel(root, data);
    this.addBars();
    this.listen(host);
    this.clear();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  addBars() {
    const item = this.find("template").content;
    for (let digit = 0; digit < DIGITS; digit++) {
      const bar = item.cloneNode(true);
      bar.querySelector(".digit").textContent = digit;
      this.find("ol").append(bar);
    }
  }

  listen(host) {
    this.canvas.addEventListener("pointerdown", (event) => this.putDown(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("lostpointercapture", () => this.lift());
    this.find(".clear").addEventListener("click", () => this.clear());
    this.find(".example").addEventListener("click", () => this.showExample());
    this.find("input").addEventListener("change", () => this.read());
    // A key that nobody stops acts on JupyterLab's notebook: B adds a cell, X cuts one.
    host.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
    });
  }

  // --- Drawing ---

  putDown(event) {
    if (!event.isPrimary || event.button !== 0) return;
    event.preventDefault(); // neither selects the page's text nor drags it
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.place(event);
    this.line(this.last, this.last);
  }

  move(event) {
    if (this.last === null || !event.isPrimary) return;
    // A fast hand moves several times between two frames: use every point.
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    events.push(event);
    for (const moved of events) {
      const next = this.place(moved);
      this.line(this.last, next);
      this.last = next;
    }
  }

  lift() {
    this.last = null;
  }

  // Where on the paper an event is: [x, y].
  place(event) {
    const { left, top, width } = this.canvas.getBoundingClientRect();
    const scale = PAPER / width;
    return [(event.clientX - left) * scale, (event.clientY - top) * scale];
  }

  line(from, to) {
    this.pen.beginPath();
    this.pen.moveTo(from[0], from[1]);
    this.pen.lineTo(to[0] + 0.01, to[1]); // without any length there would be no dot
    this.pen.stroke();
    if (this.frame === 0) {
      this.frame = requestAnimationFrame(() => this.read());
    }
  }

  clear() {
    this.pen.fillRect(0, 0, PAPER, PAPER);
    this.read();
  }

  showExample() {
    this.clear();
    for (let i = 1; i < EXAMPLE.length; i++) {
      this.line(EXAMPLE[i - 1], EXAMPLE[i]);
    }
  }

  // The paper as a picture of grey levels.
  ink() {
    const { data } = this.pen.getImageData(0, 0, PAPER, PAPER); // four bytes a pixel
    const rows = [];
    for (let y = 0; y < PAPER; y++) {
      const row = [];
      for (let x = 0; x < PAPER; x++) {
        row.push(data[4 * (y * PAPER + x)]);
      }
      rows.push(row);
    }
    return rows;
  }

  // --- Reading ---

  read() {
    this.frame = 0;
    const ink = this.ink();
    const asDrawn = this.answer("As drawn", scaleDown(ink, SIDE, SIDE));
    const prepared = this.answer("Prepared as MNIST was", prepareAsMnist(ink));
    const isPrepared = this.find("input").checked;
    const chosen = isPrepared ? prepared : asDrawn;
    const other = isPrepared ? asDrawn : prepared;
    const isEmpty = extent(ink).end === 0;
    this.find(".layout").classList.toggle("empty", isEmpty);
    this.find(".caption").textContent = isPrepared
      ? "Scaled to fit 20×20 pixels (dashed), the centre of mass (+) near the middle."
      : "The whole pad scaled down, wherever the digit (dashed) is.";
    this.showPicture(chosen.picture);
    this.showWords(chosen, other);
    this.showBars(chosen, other);
    this.board.show(isEmpty ? null : chosen);
  }

  answer(name, picture) {
    const image_i8 = picture.flat().map((grey) => grey - 128);
    const logits_i8 = this.network(image_i8);
    const { scale, zero_point: zeroPoint } = this.data;
    const probabilities = softmax(logits_i8, scale, zeroPoint);
    return { name, picture, image_i8, logits_i8, probabilities };
  }

  showPicture(picture) {
    const image = new ImageData(SIDE, SIDE);
    const greys = picture.flat();
    for (let i = 0; i < greys.length; i++) {
      image.data.set([greys[i], greys[i], greys[i], 255], 4 * i);
    }
    this.find(".seen canvas").getContext("2d").putImageData(image, 0, 0);
    const rows = extent(picture);
    const columns = extent(transpose(picture));
    const box = this.find(".box").style;
    box.top = share(rows.first);
    box.height = share(rows.end - rows.first);
    box.left = share(columns.first);
    box.width = share(columns.end - columns.first);
    const cross = this.find(".centre").style;
    cross.top = share(centreOfMass(picture));
    cross.left = share(centreOfMass(transpose(picture)));
  }

  showWords(chosen, other) {
    const read = reading(chosen, "reads", "is unsure: perhaps");
    this.find(".verdict").textContent = `The model ${read}.`;
    const wouldRead = reading(other, "it would read", "it would read perhaps");
    this.find(".comparison").textContent = `${other.name}, ${wouldRead}.`;
    this.find(".other").textContent = other.name;
  }

  showBars(chosen, other) {
    const best = Math.max(...chosen.probabilities);
    const items = this.root.querySelectorAll("li");
    for (let digit = 0; digit < DIGITS; digit++) {
      const probability = chosen.probabilities[digit];
      const compared = other.probabilities[digit];
      const item = items[digit];
      item.classList.toggle("top", probability === best);
      item.querySelector(".bar").style.width = `${100 * probability}%`;
      item.querySelector(".value").textContent = percent(probability);
      const tick = item.querySelector(".tick");
      tick.style.left = `${100 * compared}%`;
      tick.hidden = compared < 0.01; // it would hide the axis
    }
  }
}

// A length in pixels of the picture, as a share of its side.
function share(pixels) {
  return `${(100 * pixels) / SIDE}%`;
}

function reading(answer, sure, unsure) {
  const best = Math.max(...answer.probabilities);
  const digit = answer.probabilities.indexOf(best);
  const name = digit === 8 ? "an 8" : `a ${digit}`;
  return `${best > 0.5 ? sure : unsure} ${name} (${percent(best)})`;
}

// Whole percent, never rounded to certainty.
function percent(probability) {
  if (probability < 0.005) return "<1\u00a0%";
  if (probability >= 0.995) return ">99\u00a0%";
  return `${Math.round(100 * probability)}\u00a0%`;
}

async function start(host) {
  const data = JSON.parse(host.dataset.pad);
  const root = host.attachShadow({ mode: "open" }); // takes the text's place
  let network;
  try {
    network = await loadNetwork(data.module, data.function);
  } catch (error) {
    console.error(error);
    root.innerHTML = `<p role="alert">${NO_WEBASSEMBLY}</p>`;
    return;
  }
  root.innerHTML = `<style>${data.css}</style>${data.html}`;
  new Pad(host, root, data, network);
  host.logits = network; // for other pictures than drawings
}

// This may run twice, or away from its pad: it starts each pad that was not started.
for (const host of document.querySelectorAll(".draw-digit")) {
  if (host.shadowRoot === null) start(host);
}
