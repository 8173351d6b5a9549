// What run_images.c needs of the machine it runs on.
#ifndef PORT_H
#define PORT_H

#include <stdint.h>

// Opens images.bin to read and results.bin to write, in the current folder.
void open_files(void);

// Fills `bytes`; returns 0 at the end of images.bin.
int read_images(void* bytes, int count);

void write_results(const void* bytes, int count);

// A clock that counts down, 24 bits; 0 where there is none.
uint32_t ticks(void);

#endif
