// SPDX-License-Identifier: Apache-2.0
//
// Reads images from standard input and writes the logits of each to standard output.
// The compiler's command line includes the header of the network and says what is
// called CLASSIFY, IMAGE_BYTES and LOGITS there.
#include <stdio.h>

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

int main(void) {
  int8_t image[IMAGE_BYTES];
  int8_t logits[LOGITS];
#ifdef _WIN32
  // As text, Windows would change bytes that look like the ends of lines.
  _setmode(_fileno(stdin), _O_BINARY);
  _setmode(_fileno(stdout), _O_BINARY);
#endif
  while (fread(image, 1, sizeof image, stdin) == sizeof image) {
    CLASSIFY(image, logits);
    if (fwrite(logits, 1, sizeof logits, stdout) != sizeof logits) return 1;
  }
  return 0;
}
