// Test equipment: classifies each image of images.bin, and writes ten logits and the
// time in ticks (4 bytes) to results.bin. Ends with 1 if the digit is not the best one.
// The compiler's command line includes the header under test and defines CLASSIFY.
#include "port.h"

int main(void) {
  static int8_t image[784];
  open_files();
  while (read_images(image, sizeof image)) {
    int8_t logits[10];
    const uint32_t start = ticks();
    const int digit = CLASSIFY(image, logits);
    const uint32_t elapsed = (start - ticks()) & 0xFFFFFF;
    write_results(logits, sizeof logits);
    write_results(&elapsed, sizeof elapsed);
    for (int other = 0; other < 10; ++other) {
      if (logits[other] > logits[digit]) return 1;
    }
  }
  return 0;
}
