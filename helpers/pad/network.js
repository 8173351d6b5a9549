// Part 1 of 4, the network: the published C, compiled to WebAssembly.

const IMAGE_BYTES = 784; // 28 rows of 28 pixels
const DIGITS = 10;

// Resolves to a function from 784 int8 values to ten int8 logits.
// Rejects where the page's viewer forbids WebAssembly.
async function loadNetwork(base64, functionName) {
  const text = atob(base64);
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const { instance } = await WebAssembly.instantiate(bytes);
  const memory = instance.exports.memory;
  const classify = instance.exports[functionName];
  // One more page of memory, of 65,536 bytes, behind all that the C uses.
  const image = memory.grow(1) * 65536;
  const logits = image + IMAGE_BYTES;

  return function network(image_i8) {
    new Int8Array(memory.buffer, image, IMAGE_BYTES).set(image_i8);
    classify(image, logits);
    return new Int8Array(memory.buffer, logits, DIGITS).slice();
  };
}

// The C ends with the logits; the softmax is only for people.
function softmax(logits_i8, scale, zeroPoint) {
  const powers = [];
  let total = 0;
  for (const logit of logits_i8) {
    const power = Math.exp((logit - zeroPoint) * scale);
    powers.push(power);
    total += power;
  }
  return powers.map((power) => power / total);
}
