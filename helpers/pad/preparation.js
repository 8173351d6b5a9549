// Part 2 of 4, the preparation: from ink to the 28×28 grey levels that the model sees.
// A picture is an array of rows of grey levels, from 0 (paper) to 255 (ink).

const SIDE = 28; // of what the model sees, in pixels
const BOX = 20; // side of the square that every digit of MNIST fits

// As MNIST's authors did: scale to fit the box, move the centre of mass to the middle.
// helpers/photograph.py does the same, byte for byte.
function prepareAsMnist(ink) {
  const digit = cutOut(ink);
  const picture = [];
  for (let y = 0; y < SIDE; y++) {
    picture.push(new Array(SIDE).fill(0));
  }
  if (digit.length === 0) return picture;

  const longest = Math.max(digit.length, digit[0].length);
  const height = Math.max(1, Math.round((BOX * digit.length) / longest));
  const width = Math.max(1, Math.round((BOX * digit[0].length) / longest));
  const small = scaleDown(digit, height, width);
  const top = firstPlace(small);
  const left = firstPlace(transpose(small));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      picture[top + y][left + x] = small[y][x];
    }
  }
  return picture;
}

// The part with ink, without empty rows and columns around it.
function cutOut(ink) {
  const rows = extent(ink);
  const columns = extent(transpose(ink));
  const inked = ink.slice(rows.first, rows.end);
  return inked.map((row) => row.slice(columns.first, columns.end));
}

// The first row with ink and the one after the last; 0 and 0 without ink.
function extent(rows) {
  const inked = rows.map((row) => row.some((grey) => grey > 0));
  if (!inked.includes(true)) return { first: 0, end: 0 };
  return { first: inked.indexOf(true), end: inked.lastIndexOf(true) + 1 };
}

// The row of the picture at which `rows` begin, so that their centre of mass comes to
// the middle, as far as the picture has room.
function firstPlace(rows) {
  const place = SIDE / 2 - Math.floor(centreOfMass(rows));
  return Math.min(Math.max(place, 0), SIDE - rows.length);
}

// Where the centre of mass is, in rows from the top: 0.5 is the middle of the first.
function centreOfMass(rows) {
  let mass = 0;
  let moment = 0; // in halves of a row, so that it is a whole number
  for (let y = 0; y < rows.length; y++) {
    mass += sum(rows[y]);
    moment += sum(rows[y]) * (2 * y + 1);
  }
  return mass === 0 ? 0 : moment / (2 * mass);
}

// Each pixel of the result is the mean of the area that it covers.
function scaleDown(picture, height, width) {
  const area = picture.length * picture[0].length;
  const narrow = picture.map((row) => sumsOfParts(row, width));
  const columns = transpose(narrow).map((column) => sumsOfParts(column, height));
  return transpose(columns).map((row) => row.map((total) => Math.round(total / area)));
}

// Sums over `parts` equal parts of the values. Lengths are counted in 1/parts of a
// value, so that all numbers are whole: of each value a part takes what lies in it.
function sumsOfParts(values, parts) {
  const sums = [];
  for (let part = 0; part < parts; part++) {
    const start = part * values.length;
    const end = start + values.length;
    let total = 0;
    for (let i = Math.floor(start / parts); i * parts < end; i++) {
      const from = Math.max(start, i * parts);
      const to = Math.min(end, (i + 1) * parts);
      total += values[i] * (to - from);
    }
    sums.push(total);
  }
  return sums;
}

function transpose(rows) {
  if (rows.length === 0) return [];
  return rows[0].map((_, x) => rows.map((row) => row[x]));
}

function sum(values) {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
