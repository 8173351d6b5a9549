// SPDX-License-Identifier: Apache-2.0
#include "cnn_int8.h"

#ifdef __AVR__
#define LONG_AT(address) ((int32_t)pgm_read_dword(address))
typedef __int24 RowSum;  // 511 products of two bytes fit, and 32 bits take longer
#else
#define LONG_AT(address) (*(address))
typedef int32_t RowSum;
#endif

// GCC's -Os, which Arduino uses, would merge the inner loops into their callers and run
// out of registers: twice the instructions.
#ifdef __GNUC__
#define NOT_INLINED __attribute__((noinline))
#else
#define NOT_INLINED
#endif

// Returns the sum of input * weight over one window. The layer needs (input - zero
// point) * weight; the difference is the same for every image, so it is in the bias.
static NOT_INLINED int32_t one_window(const CnnInt8Layer* layer, const int8_t* input,
                                      const int8_t* weights) {
  const int length = layer->window_bytes;
  const int row_bytes = layer->row_bytes;
  int32_t sum = 0;
  int start = 0;
  for (uint8_t rows = layer->rows; rows > 0; --rows) {
    const int8_t* pixel = input + start;
    const int8_t* const end = pixel + length;
    RowSum row_sum = 0;
    while (pixel != end) row_sum += *pixel++ * CNN_INT8_BYTE(weights++);
    sum += row_sum;
    start += row_bytes;
  }
  return sum;
}

static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

// Returns the largest sum of the four windows that are pooled into one output.
static NOT_INLINED int32_t largest_of_four(const CnnInt8Layer* layer,
                                           const int8_t* input, const int8_t* weights) {
#ifdef __AVR__
  // Only two registers of this processor can walk through memory.
  int32_t largest = one_window(layer, input, weights);
  largest = larger(largest, one_window(layer, input + layer->channels, weights));
  input += layer->row_bytes;
  largest = larger(largest, one_window(layer, input, weights));
  return larger(largest, one_window(layer, input + layer->channels, weights));
#else
  // All four at once: each weight is loaded once for four products.
  const int next = layer->channels;
  int32_t a = 0, b = 0, c = 0, d = 0;
  for (int row = 0; row < layer->rows; ++row) {
    const int8_t* below = input + layer->row_bytes;
    for (int i = 0; i < layer->window_bytes; ++i) {
      a += weights[i] * input[i];
      b += weights[i] * input[i + next];
      c += weights[i] * below[i];
      d += weights[i] * below[i + next];
    }
    weights += layer->window_bytes;
    input = below;
  }
  return larger(larger(a, b), larger(c, d));
#endif
}

// Returns value * multiplier * 2^(shift - 31), rounded twice, as TensorFlow Lite Micro
// (MultiplyByQuantizedMultiplier) and gemmlowp (fixedpoint/fixedpoint.h) do it. The
// sign is taken off first: C leaves open what >> does to a negative number. What wrote
// the model has checked that value * 2^shift fits 32 bits.
static int32_t multiply(int32_t value, int32_t multiplier, int8_t shift) {
  const uint8_t left = (uint8_t)(shift > 0 ? shift : 0);
  const uint8_t right = (uint8_t)(shift > 0 ? 0 : -shift);
  const uint8_t negative = value < 0;
  const uint32_t size = (negative ? 0 - (uint32_t)value : (uint32_t)value) << left;
  // SaturatingRoundingDoublingHighMul: product / 2^31, halves upwards.
  const uint64_t product = (uint64_t)size * (uint32_t)multiplier;
  const uint32_t high = (uint32_t)((product + ((uint32_t)1 << 30) - negative) >> 31);
  // RoundingDivideByPOT: high / 2^right, halves away from zero.
  const uint32_t rounded = (high + (((uint32_t)1 << right) >> 1)) >> right;
  return negative ? -(int32_t)rounded : (int32_t)rounded;
}

// Turns a sum over a window into the int8 value that stands for it in the output.
static int8_t requantize(const CnnInt8Layer* layer, int16_t filter, int32_t sum) {
  const int32_t scaled =
      multiply(sum + LONG_AT(layer->bias + filter), LONG_AT(layer->multiplier + filter),
               CNN_INT8_BYTE(layer->shift + filter));
  const int32_t value = scaled + layer->zero_point;
  if (value < layer->lowest) return layer->lowest;  // this is the ReLU
  return (int8_t)(value > 127 ? 127 : value);
}

// Computes one row of a layer's output. Requantizing keeps the order of numbers, so it
// is done once, after the pooling, and no map is ever stored at its full size.
static void compute_row(const CnnInt8Layer* layer, int8_t* output) {
  const int8_t* window = layer->kept;
  for (int16_t x = 0; x < layer->outputs; ++x) {
    const int8_t* weights = layer->weights;
    for (int16_t filter = 0; filter < layer->filters; ++filter) {
      const int32_t sum = layer->pool == 2 ? largest_of_four(layer, window, weights)
                                           : one_window(layer, window, weights);
      *output++ = requantize(layer, filter, sum);
      weights += layer->rows * layer->window_bytes;
    }
    window += layer->pool * layer->channels;
  }
}

static void copy_bytes(int8_t* to, const int8_t* from, int16_t count) {
  while (count-- > 0) *to++ = *from++;
}

// Returns layer `number` of a network. AVR cannot read flash through a pointer, so
// there the layer is copied.
static const CnnInt8Layer* get_layer(const CnnInt8Network* network, uint8_t number,
                                     CnnInt8Layer* copy) {
#ifdef __AVR__
  return (const CnnInt8Layer*)memcpy_P(copy, network->layers + number, sizeof *copy);
#else
  (void)copy;
  return network->layers + number;
#endif
}

void cnn_int8_begin(const CnnInt8Network* network) {
  for (uint8_t i = 0; i < network->layer_count; ++i) network->kept_rows[i] = 0;
}

int cnn_int8_row(const CnnInt8Network* network, const int8_t* row, int8_t* logits) {
  CnnInt8Layer copy;
  const CnnInt8Layer* layer = get_layer(network, 0, &copy);
  uint8_t* const kept_rows = network->kept_rows;
  copy_bytes(layer->kept + kept_rows[0] * layer->row_bytes, row, layer->row_bytes);
  for (uint8_t number = 0; number < network->layer_count; ++number) {
    layer = get_layer(network, number, &copy);
    kept_rows[number] = (uint8_t)(kept_rows[number] + 1);
    if (kept_rows[number] < layer->rows + layer->pool - 1) return 0;
    if (number + 1 < network->layer_count) {
      compute_row(layer,
                  layer->next_kept + kept_rows[number + 1] * layer->output_bytes);
    } else {
      compute_row(layer, logits);
    }
    // Drop the rows that no later window needs.
    kept_rows[number] = (uint8_t)(layer->rows - 1);
    copy_bytes(layer->kept, layer->kept + layer->pool * layer->row_bytes,
               (int16_t)(kept_rows[number] * layer->row_bytes));
  }
  return 1;
}

void cnn_int8_image(const CnnInt8Network* network, const int8_t* image,
                    int8_t* logits) {
  CnnInt8Layer copy;
  const int16_t row_bytes = get_layer(network, 0, &copy)->row_bytes;
  cnn_int8_begin(network);
  for (uint8_t y = 0; y < network->image_rows; ++y) {
    cnn_int8_row(network, image, logits);
    image += row_bytes;
  }
}

int cnn_int8_best(const int8_t* logits, int count) {
  int best = 0;
  for (int i = 1; i < count; ++i) {
    if (logits[i] > logits[best]) best = i;
  }
  return best;
}

int cnn_int8_margin(const int8_t* logits, int count) {
  const int best = cnn_int8_best(logits, count);
  int margin = 255;
  for (int i = 0; i < count; ++i) {
    const int difference = logits[best] - logits[i];
    if (i != best && difference < margin) margin = difference;
  }
  return margin;
}
