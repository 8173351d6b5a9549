// The drawing pad: strokes become ink, ink the 28×28 bytes that the model sees, and the
// network runs on them, in the integers of helpers/integer_arithmetic.py, in the page.
// The block may run twice, or away from its pad: it starts each pad that was not started.
"use strict";
{
  const SIDE = 28; // of what the model sees, in pixels
  const BOX = 20; // side of the square that every digit of MNIST fits
  const WAYS = ["As drawn", "Prepared as MNIST was"];
  const bar = (digit) => `<li><span>${digit}</span>
    <span class="track"><span class="bar"></span><span class="tick"></span></span>
    <span class="value"></span></li>`;
  const TEMPLATE = `<div class="layout" role="group" aria-label="Draw a digit">
    <div class="pad"><b>Draw a digit</b>
      <div class="paper"><canvas tabindex="-1" role="img" aria-label="Pad"></canvas>
        <p class="hint">Draw here with<br>the mouse or a finger</p></div>
      <button class="clear">Clear</button> <button class="example">Show an example</button>
    </div>
    <div class="words" role="status"><p class="verdict"></p><p class="comparison"></p></div>
    <div class="seen"><b>What the model sees</b>
      <div class="paper"><canvas role="img" aria-label="Input" width="28" height="28"></canvas>
        <div class="box"></div><div class="centre"></div></div>
      <label><input type="checkbox" checked> Prepare as MNIST was</label>
      <p class="note caption"></p>
    </div>
    <div class="answer"><b>Probability of each digit</b>
      <ol>${[...Array(10).keys()].map(bar).join("")}</ol>
      <p class="note legend"><span class="tick"></span> <span class="name"></span></p>
    </div>
  </div>`;

  // --- The network in integers ---------------------------------------------------------

  // Weights come as filters × height × width × channels, and are kept in one row.
  function flatten(layer) {
    const [height, width] = [layer.weights[0].length, layer.weights[0][0].length];
    return { ...layer, height, width, weights: Int8Array.from(layer.weights.flat(3)) };
  }

  function convolve(values, layer) {
    const [rows, columns, filters] = layer.output_shape;
    const inputs = Int16Array.from(values, (value) => value - layer.input_zero_point);
    const output = new Int8Array(rows * columns * filters);
    const step = layer.pool ? 2 : 1;
    let place = 0;
    for (let y = 0; y < rows * step; y += step)
      for (let x = 0; x < columns * step; x += step)
        for (let filter = 0; filter < filters; filter++) {
          // Requantizing keeps the order, so only the largest of the four needs it.
          let sum = -Infinity;
          for (let i = 0; i < step * step; i++)
            sum = Math.max(sum, accumulate(layer, inputs, y + (i >> 1), x + (i & 1), filter));
          output[place++] = requantize(layer, sum, filter);
        }
    return output;
  }

  function accumulate(layer, inputs, top, left, filter) {
    const { height, width, input_shape: [, columns, channels] } = layer;
    const length = width * channels; // pixels side by side are stored side by side
    let [sum, weight] = [layer.bias[filter], filter * height * length];
    for (let row = top; row < top + height; row++) {
      const start = (row * columns + left) * channels;
      for (let i = start; i < start + length; i++)
        sum += inputs[i] * layer.weights[weight++];
    }
    return sum;
  }

  function requantize(layer, accumulator, filter) {
    const [left, right] = [1, -1].map((sign) => Math.max(sign * layer.shift[filter], 0));
    // A BigInt, because the product has up to 62 bits and a number is exact up to 53.
    const product = BigInt(accumulator * 2 ** left) * BigInt(layer.multiplier[filter]);
    const high = Number((product + (1n << 30n)) >> 31n);
    const half = right && 2 ** (right - 1); // halves go away from zero
    const scaled = Math.floor((high + half - (high < 0 && right > 0)) / 2 ** right);
    return Math.min(Math.max(scaled + layer.output_zero_point, layer.lowest), 127);
  }

  function softmax(logits, { scale, zero_point }) {
    const powers = Array.from(logits, (logit) => Math.exp((logit - zero_point) * scale));
    return powers.map((power) => power / total(powers));
  }

  // --- From ink to what the model sees -------------------------------------------------
  // A picture is an array of rows of grey levels.

  const total = (values) => values.reduce((a, b) => a + b, 0);
  const transpose = (rows) => (rows[0] ?? []).map((_, i) => rows.map((row) => row[i]));

  // The first row with ink, and the one after the last.
  function extent(rows) {
    const inked = rows.map((row) => row.some(Boolean));
    return [inked.indexOf(true), inked.lastIndexOf(true) + 1];
  }

  // Where the centre of mass is, in rows from the top; the middle of the first is 0.5.
  function centre(rows) {
    const masses = rows.map(total);
    return total(masses.map((mass, i) => mass * (2 * i + 1))) / (2 * total(masses) || 1);
  }

  // As MNIST's authors did: fit into the box, move the centre of mass to the middle.
  function normalise(ink) {
    const trim = (rows) => rows.slice(...extent(rows));
    const digit = transpose(trim(transpose(trim(ink))));
    const picture = Array.from({ length: SIDE }, () => Array(SIDE).fill(0));
    if (!digit.length) return picture;
    const longest = Math.max(digit.length, digit[0].length);
    const size = (rows) => Math.max(1, Math.round((BOX * rows.length) / longest));
    const small = boxAverage(digit, size(digit), size(digit[0]));
    const [top, left] = [small, transpose(small)].map((rows) =>
      Math.min(Math.max(SIDE / 2 - Math.floor(centre(rows)), 0), SIDE - rows.length));
    small.forEach((row, y) => picture[top + y].splice(left, row.length, ...row));
    return picture;
  }

  function boxAverage(rows, height, width) {
    const area = rows.length * rows[0].length;
    const columns = transpose(rows.map((row) => boxSums(row, width)));
    const sums = transpose(columns.map((column) => boxSums(column, height)));
    return sums.map((row) => row.map((sum) => Math.round(sum / area)));
  }

  // Sums over `parts` equal parts; what a part has of a value counts in 1/parts.
  function boxSums(values, parts) {
    return Array.from({ length: parts }, (_, part) => {
      const [start, end] = [part * values.length, (part + 1) * values.length];
      let sum = 0;
      for (let i = Math.floor(start / parts); i * parts < end; i++)
        sum += values[i] * (Math.min(end, (i + 1) * parts) - Math.max(start, i * parts));
      return sum;
    });
  }

  // --- The page ------------------------------------------------------------------------

  function start(host) {
    const pad = JSON.parse(host.dataset.pad);
    const layers = pad.layers.map(flatten);
    const root = host.attachShadow({ mode: "open" }); // takes the text's place
    root.innerHTML = `<style>${pad.css}</style>${TEMPLATE}`;
    const find = (selector) => root.querySelector(selector);
    const canvas = find("canvas");
    canvas.width = canvas.height = pad.side;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    Object.assign(pen, { strokeStyle: "white", lineWidth: pad.pen, lineCap: "round" });
    const places = [...Array(pad.side).keys()];
    let last = null; // where the pen is while it is down
    let due = 0; // the next reading

    // For other pictures and tests: document.querySelector(".draw-digit").logits(bytes)
    host.logits = (seen_i8) => layers.reduce(convolve, seen_i8);
    Object.assign(host, { normalise, boxAverage });

    function read() {
      due = 0;
      const { data } = pen.getImageData(0, 0, pad.side, pad.side); // four bytes a pixel
      const ink = places.map((y) => places.map((x) => data[4 * (y * pad.side + x)]));
      const pictures = [boxAverage(ink, SIDE, SIDE), normalise(ink)];
      const answers = pictures.map((picture) => {
        const seen_i8 = Int8Array.from(picture.flat(), (grey) => grey - 128);
        return softmax(host.logits(seen_i8), pad.output);
      });
      const way = Number(find("input").checked);
      find(".layout").classList.toggle("empty", !extent(ink)[1]);
      showPicture(find(".seen"), pictures[way]);
      showAnswers(root, way, answers[way], answers[1 - way]);
    }

    function clear() {
      pen.fillRect(0, 0, pad.side, pad.side);
      read();
    }

    function line([x, y], [toX, toY]) {
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(toX + 0.01, toY); // a line without any length would leave no dot
      pen.stroke();
      due ||= requestAnimationFrame(read);
    }

    function point({ clientX, clientY }) {
      const { left, top, width } = canvas.getBoundingClientRect();
      return [clientX - left, clientY - top].map((at) => (at * pad.side) / width);
    }

    canvas.onpointerdown = (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      event.preventDefault(); // neither selects the page's text nor drags it
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      last = point(event);
      line(last, last);
    };
    canvas.onpointermove = (event) => {
      if (!last || !event.isPrimary) return;
      // A fast hand moves several times between two frames: use every point.
      for (const moved of [...(event.getCoalescedEvents?.() ?? []), event])
        line(last, (last = point(moved)));
    };
    canvas.onlostpointercapture = () => (last = null);
    find(".clear").onclick = clear;
    find(".example").onclick = () => {
      clear();
      for (const points of pad.example)
        points.slice(1).forEach((next, i) => line(points[i], next));
    };
    find("input").onchange = read;
    // A key that nobody stops acts on JupyterLab's notebook: B adds a cell, X cuts one.
    host.onkeydown = (event) => event.ctrlKey || event.metaKey || event.stopPropagation();
    clear();
  }

  function showPicture(panel, picture) {
    const pixels = picture.flat().flatMap((grey) => [grey, grey, grey, 255]);
    const image = new ImageData(Uint8ClampedArray.from(pixels), SIDE);
    panel.querySelector("canvas").getContext("2d").putImageData(image, 0, 0);
    const [box, cross] = panel.querySelectorAll(".box, .centre");
    const share = (pixels) => `${(100 * pixels) / SIDE}%`;
    const axes = [[picture, "top", "height"], [transpose(picture), "left", "width"]];
    for (const [rows, edge, size] of axes) {
      const [first, end] = extent(rows);
      box.style[edge] = share(first);
      box.style[size] = share(end - first);
      cross.style[edge] = share(centre(rows));
    }
  }

  function showAnswers(root, way, chosen, other) {
    const say = (selector, text) => (root.querySelector(selector).textContent = text);
    say(".caption", way
      ? "Scaled to fit 20×20 pixels (dashed), the centre of mass (+) near the middle."
      : "The whole pad scaled down, wherever the digit (dashed) is.");
    say(".name", WAYS[1 - way]);
    say(".verdict", `The model ${reading(chosen, "reads ", "is unsure: perhaps ")}.`);
    const comparison = reading(other, "it would read ", "it would read perhaps ");
    say(".comparison", `${WAYS[1 - way]}, ${comparison}.`);
    root.querySelectorAll("li").forEach((item, digit) => {
      const part = (name) => item.querySelector(name);
      item.classList.toggle("top", chosen[digit] === Math.max(...chosen));
      part(".bar").style.width = `${100 * chosen[digit]}%`;
      part(".track .tick").style.left = `${100 * other[digit]}%`;
      part(".track .tick").hidden = other[digit] < 0.01; // it would hide the axis
      part(".value").textContent = percent(chosen[digit]);
    });
  }

  function reading(probabilities, sure, unsure) {
    const best = Math.max(...probabilities);
    const digit = probabilities.indexOf(best);
    const name = digit === 8 ? "an 8" : `a ${digit}`;
    return `${best > 0.5 ? sure : unsure}${name} (${percent(best)})`;
  }

  // Whole percent, never rounded to certainty.
  function percent(probability) {
    if (probability < 0.005) return "<1\u00a0%";
    return probability < 0.995 ? `${Math.round(100 * probability)}\u00a0%` : ">99\u00a0%";
  }

  for (const host of document.querySelectorAll(".draw-digit"))
    if (!host.shadowRoot) start(host);
}
