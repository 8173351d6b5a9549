// The port for a computer with an operating system.
#include "port.h"

#include <stdio.h>

static FILE *images, *results;

void open_files(void) {
  images = fopen("images.bin", "rb");
  results = fopen("results.bin", "wb");
}

int read_images(void* bytes, int count) {
  return fread(bytes, 1, (size_t)count, images) == (size_t)count;
}

void write_results(const void* bytes, int count) {
  fwrite(bytes, 1, (size_t)count, results);
}

uint32_t ticks(void) { return 0; }
