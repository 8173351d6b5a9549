// SPDX-License-Identifier: Apache-2.0
//
// cnn_int8: runs a small convolutional network of int8 numbers, row by row.
//
// It is the same for every model. A model's own file, such as
// mnist_cnn_int8_inference.c, holds the numbers and names the functions to call.
// C99 and C++; no library, no floating point, no memory but what the model hands in.
//
// An int8 value q stands for the real number scale * (q - zero point); weights have
// zero point 0. Source of the formulas: LiteRT 8-bit quantization specification,
// https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec
#ifndef CNN_INT8_H
#define CNN_INT8_H

#include <stdint.h>

// Marks constants that stay in flash, and reads one. Only AVR, the processor of the
// Arduino Uno, has to be told: it reads flash with instructions of their own.
#ifdef __AVR__
#include <avr/pgmspace.h>
#define CNN_INT8_FLASH PROGMEM
#define CNN_INT8_BYTE(address) ((int8_t)pgm_read_byte(address))
#else
#define CNN_INT8_FLASH
#define CNN_INT8_BYTE(address) (*(address))
#endif

#ifdef __cplusplus
extern "C" {
#endif

// A convolution with its activation and, where pool is 2, the 2 x 2 max pooling after
// it. Windows move by one pixel, without padding. A Dense layer is a convolution whose
// window spans its whole input.
//
// The layer keeps only those rows of its input that its windows span: rows + pool - 1.
typedef struct {
  const int8_t* weights;      // by filter, row, column, channel
  const int32_t* bias;        // by filter; bias - input zero point * sum of its weights
  const int32_t* multiplier;  // by filter; rescales by multiplier * 2^(shift - 31)
  const int8_t* shift;        // by filter
  int8_t* kept;               // memory for the rows that are kept
  int8_t* next_kept;          // the same of the next layer, for the output
  int16_t row_bytes;          // of the input: columns * channels
  int16_t window_bytes;       // of a window's row: columns * channels; at most 511
  int16_t output_bytes;       // of a row of the output: outputs * filters
  int16_t filters;
  int16_t outputs;    // columns of the output, after pooling
  uint8_t channels;   // of the input
  uint8_t rows;       // of a window
  uint8_t pool;       // 2: the largest of 2 x 2 windows is the output; 1: no pooling
  int8_t zero_point;  // of the output
  int8_t lowest;      // output: the zero point with ReLU, else -128
} CnnInt8Layer;

typedef struct {
  const CnnInt8Layer* layers;
  uint8_t* kept_rows;  // memory for one byte a layer: how many rows it keeps now
  uint8_t layer_count;
  uint8_t image_rows;
} CnnInt8Network;

// Forgets all rows: the next one is the first of an image.
void cnn_int8_begin(const CnnInt8Network* network);

// Takes the next row of an image. Returns 1 if the logits are now complete, else 0.
int cnn_int8_row(const CnnInt8Network* network, const int8_t* row, int8_t* logits);

// Takes a whole image, row by row.
void cnn_int8_image(const CnnInt8Network* network, const int8_t* image, int8_t* logits);

// Returns the index of the largest logit, the first if several are.
int cnn_int8_best(const int8_t* logits, int count);

// Returns how far the largest logit is above the second largest: 0 to 255.
int cnn_int8_margin(const int8_t* logits, int count);

#ifdef __cplusplus
}
#endif

#endif  // CNN_INT8_H
