// The page's half of the drawing pad: strokes become ink for Python, and Python's
// reading of it becomes a picture, bars and words. Nothing is asked of any network.

const DIGITS = 10;
const SEEN = 28; // pixels of the side of what the model sees
const OVERSAMPLING = 4; // canvas pixels for each pixel of ink, averaged for soft edges
const WORTH_A_TICK = 0.01; // smaller probabilities of the other picture are not marked
const QUIET_MS = 400; // a screen reader hears the answer when it has stood this long
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const TEMPLATE = `
<div class="layout">
<div class="pad">
  <p class="title">Draw a digit</p>
  <div class="paper">
    <canvas tabindex="0" role="application" aria-label="Drawing pad. Draw a digit with
      the mouse or a finger. Arrow keys move the drawing, Delete clears it."></canvas>
    <p class="hint" aria-hidden="true">Draw here with<br>the mouse or a finger</p>
  </div>
  <div class="buttons">
    <button type="button" class="clear">Clear</button>
    <button type="button" class="show-example">Show an example</button>
  </div>
</div>
<div class="seen">
  <p class="title">What the model sees</p>
  <div class="paper">
    <canvas role="img" width="${SEEN}" height="${SEEN}"></canvas>
    <div class="box" aria-hidden="true"></div>
    <div class="middle" aria-hidden="true"></div>
  </div>
  <label class="switch">
    <input type="checkbox" role="switch"><span>MNIST’s normalisation</span>
  </label>
  <p class="caption"></p>
</div>
<div class="answer">
  <p class="title">Probability of each digit</p>
  <ol role="list"></ol>
  <p class="caption legend"><span class="tick"></span><span class="legend-text"></span></p>
</div>
<div class="words">
  <p class="verdict"></p>
  <p class="comparison"></p>
  <p class="error" role="alert"></p>
</div>
</div>
<p class="spoken" role="status" aria-live="polite"></p>`;

const BAR = `<span class="digit"></span>
  <span class="track" aria-hidden="true"><span class="bar"></span><span class="tick"></span></span>
  <span class="value"></span>`;

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "draw-digit";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Draw a digit and let the model read it");
  root.innerHTML = TEMPLATE;
  const find = (selector) => root.querySelector(selector);
  const canvas = find(".pad canvas");
  canvas.width = canvas.height = model.get("side") * OVERSAMPLING;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const toggle = find("input");
  const bars = addBars(find("ol"));

  let stroke = null; // the points of the line that is being drawn
  let frame = 0; // the next repainting, if one is due
  let silence = 0; // the timer before the answer is spoken

  // --- From the hand to Python ---------------------------------------------------

  function paint() {
    frame = 0;
    paintStrokes(pen, stroke ? [...strokes(), stroke] : strokes(), model.get("pen"));
    find(".hint").hidden = stroke !== null || strokes().length > 0;
    const ink = boxAverage(pen, model.get("side"));
    model.set("ink", new DataView(ink.buffer));
    model.save_changes();
  }

  function paintSoon() {
    frame ||= requestAnimationFrame(paint);
  }

  function strokes() {
    return model.get("strokes");
  }

  function setStrokes(next) {
    model.set("strokes", next);
    paintSoon();
  }

  function point(event) {
    const box = canvas.getBoundingClientRect();
    return [
      (event.clientX - box.left - canvas.clientLeft) / canvas.clientWidth,
      (event.clientY - box.top - canvas.clientTop) / canvas.clientHeight,
    ];
  }

  function start(event) {
    if (stroke || !event.isPrimary || event.button !== 0) return;
    event.preventDefault(); // neither selects the page's text nor drags it
    canvas.focus({ preventScroll: true, focusVisible: false });
    canvas.setPointerCapture(event.pointerId);
    stroke = [point(event)];
    paintSoon();
  }

  function extend(event) {
    if (!stroke || !event.isPrimary) return;
    // A fast hand moves several times between two frames: keep every point.
    const events = event.getCoalescedEvents?.() ?? [];
    stroke.push(...(events.length ? events : [event]).map(point));
    paintSoon();
  }

  function end(event) {
    if (!stroke || !event.isPrimary) return;
    const finished = stroke;
    stroke = null;
    setStrokes([...strokes(), finished]);
  }

  function press(event) {
    const move = MOVES[event.key];
    const erase = event.key === "Delete" || event.key === "Backspace";
    if (stroke || (!move && !erase)) return;
    event.preventDefault(); // the page must not scroll as well
    if (erase) return setStrokes([]);
    const [right, down] = move.map((steps) => steps / SEEN);
    setStrokes(strokes().map((line) => line.map(([x, y]) => [x + right, y + down])));
  }

  // In JupyterLab a key that nobody stops acts on the notebook: B adds a cell, X cuts one.
  // Keys stay with the focused control; Ctrl+S and its like still reach JupyterLab.
  function keepKeys(event) {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  }

  // --- From Python to the eye ----------------------------------------------------

  function show() {
    const { seen, probabilities, sentences, error } = model.get("reading");
    const way = Number(toggle.checked);
    showSeen(find(".seen"), seen?.[way], toggle.checked);
    showBars(bars, probabilities?.[way], probabilities?.[1 - way]);
    const [verdict, comparison] = sentences?.[way] ?? ["", ""];
    find(".verdict").textContent = verdict || (error ? "" : "Draw a digit from 0 to 9.");
    find(".comparison").textContent = comparison;
    find(".error").textContent = error ?? "";
    find(".legend").hidden = !probabilities;
    find(".legend-text").textContent = toggle.checked ? "as drawn" : "normalised";
    clearTimeout(silence);
    silence = setTimeout(speak, QUIET_MS);
  }

  function speak() {
    if (!stroke) find(".spoken").textContent = find(".verdict").textContent;
  }

  function follow() {
    toggle.checked = model.get("normalised");
    show();
  }

  canvas.addEventListener("pointerdown", start);
  canvas.addEventListener("pointermove", extend);
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("keydown", press);
  root.addEventListener("keydown", keepKeys);
  find(".clear").addEventListener("click", () => setStrokes([]));
  find(".show-example").addEventListener("click", () => setStrokes(model.get("example")));
  toggle.addEventListener("change", () => {
    model.set("normalised", toggle.checked);
    model.save_changes();
  });
  model.on("change:reading", show);
  model.on("change:normalised", follow);
  model.on("change:strokes", paintSoon); // drawn on another view of the same pad

  el.append(root);
  follow();
  paintStrokes(pen, strokes(), model.get("pen"));
  find(".hint").hidden = strokes().length > 0;

  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(silence);
    model.off("change:reading", show);
    model.off("change:normalised", follow);
    model.off("change:strokes", paintSoon);
  };
}

function paintStrokes(pen, strokes, width) {
  const { width: side } = pen.canvas;
  pen.fillStyle = "black";
  pen.fillRect(0, 0, side, side);
  pen.strokeStyle = "white";
  pen.lineWidth = width * side;
  pen.lineCap = pen.lineJoin = "round";
  for (const [first, ...rest] of strokes) {
    pen.beginPath();
    pen.moveTo(first[0] * side, first[1] * side);
    for (const [x, y] of rest) pen.lineTo(x * side, y * side);
    // A canvas draws no line without length: a mere tap needs one to leave a dot.
    if (rest.length === 0) pen.lineTo(first[0] * side + 0.1, first[1] * side);
    pen.stroke();
  }
}

// Each pixel of ink is the mean of a square of canvas pixels. Letting the browser draw
// the canvas smaller would look at a few of them only, and leave ragged edges.
function boxAverage(pen, side) {
  const wide = side * OVERSAMPLING;
  const { data } = pen.getImageData(0, 0, wide, wide); // red, green, blue, opacity
  const sums = new Uint32Array(side * side);
  for (let y = 0, i = 0; y < wide; y++) {
    const row = Math.floor(y / OVERSAMPLING) * side;
    for (let x = 0; x < wide; x++, i += 4) {
      sums[row + Math.floor(x / OVERSAMPLING)] += data[i];
    }
  }
  return Uint8Array.from(sums, (sum) => Math.round(sum / OVERSAMPLING ** 2));
}

function showSeen(panel, seen, normalised) {
  const canvas = panel.querySelector("canvas");
  const pen = canvas.getContext("2d");
  pen.fillStyle = "black";
  pen.fillRect(0, 0, SEEN, SEEN);
  if (seen) {
    const image = pen.createImageData(SEEN, SEEN);
    for (let i = 0; i < SEEN * SEEN; i++) {
      const grey = seen.getInt8(i) + 128;
      image.data.set([grey, grey, grey, 255], 4 * i);
    }
    pen.putImageData(image, 0, 0);
  }
  showBox(panel.querySelector(".box"), seen);
  panel.querySelector(".middle").hidden = !(seen && normalised);
  const how = normalised
    ? "Scaled to fit 20×20 pixels (dashed), centre of mass in the middle (+)."
    : "The whole pad scaled down, wherever the digit is (dashed).";
  panel.querySelector(".caption").textContent = how;
  canvas.setAttribute(
    "aria-label",
    `${seen ? "The digit" : "An empty picture"}, 28 by 28 pixels, int8 from -128, black, to 127, white`,
  );
}

// The smallest rectangle around the digit, in percent of the picture.
function showBox(box, seen) {
  const inked = [...Array(SEEN * SEEN).keys()].filter((i) => seen && seen.getInt8(i) > -128);
  box.hidden = inked.length === 0;
  if (box.hidden) return;
  const percent = (pixels) => `${(100 * pixels) / SEEN}%`;
  for (const [start, size, positions] of [
    ["left", "width", inked.map((i) => i % SEEN)],
    ["top", "height", inked.map((i) => Math.floor(i / SEEN))],
  ]) {
    const first = Math.min(...positions);
    box.style[start] = percent(first);
    box.style[size] = percent(Math.max(...positions) + 1 - first);
  }
}

function addBars(list) {
  return Array.from({ length: DIGITS }, (_, digit) => {
    const item = document.createElement("li");
    item.innerHTML = BAR;
    item.querySelector(".digit").textContent = digit;
    list.append(item);
    return item;
  });
}

function showBars(bars, chosen, other) {
  const top = chosen ? chosen.indexOf(Math.max(...chosen)) : -1;
  bars.forEach((bar, digit) => {
    const probability = chosen?.[digit] ?? 0;
    bar.classList.toggle("top", digit === top);
    bar.querySelector(".bar").style.width = `${100 * probability}%`;
    bar.querySelector(".tick").style.left = `${100 * (other?.[digit] ?? 0)}%`;
    bar.querySelector(".tick").hidden = !(other?.[digit] >= WORTH_A_TICK);
    bar.querySelector(".value").textContent = chosen ? percent(probability) : "";
  });
}

// Whole percent, never rounded to certainty: as helpers/learn/draw/reading.py says it.
function percent(probability) {
  const number = Math.round(100 * probability);
  if (number === 0 && probability > 0) return "<1\u00a0%";
  return number === 100 ? ">99\u00a0%" : `${number}\u00a0%`;
}

export default { render };
