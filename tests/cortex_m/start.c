// Test equipment: the start of a program on a Cortex-M that QEMU emulates. It
// classifies each image of images.bin, and writes ten logits and the time in ticks (4
// bytes) to results.bin. The compiler's command line includes the header under test and
// defines CLASSIFY.
//
// Files are those of the computer that runs the emulator, by Arm's semihosting:
// https://github.com/ARM-software/abi-aa/blob/main/semihosting/semihosting.rst
#include <stdint.h>

enum { OPEN = 0x01, WRITE = 0x05, READ = 0x06, EXIT = 0x18 };
enum { READ_BINARY = 1, WRITE_BINARY = 5 };              // modes of OPEN
enum { STOPPED_BY_ERROR = 0x20023, STOPPED = 0x20026 };  // reasons of EXIT

// SysTick, a timer of the processor that counts down 24 bits: control, reload, value.
static volatile uint32_t* const systick = (volatile uint32_t*)0xE000E010;

extern uint32_t bss_start[], bss_end[], stack_top[];  // from link.ld

// Stops at a breakpoint with the operation in r0 and its arguments in r1.
static intptr_t semihosting(int operation, const void* arguments) {
  register intptr_t r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = arguments;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static intptr_t open_file(const char* name, intptr_t length, intptr_t mode) {
  const intptr_t arguments[] = {(intptr_t)name, mode, length};
  return semihosting(OPEN, arguments);
}

static intptr_t transfer(int operation, intptr_t file, const void* bytes, int count) {
  const intptr_t arguments[] = {file, (intptr_t)bytes, count};
  return semihosting(operation, arguments);  // the number of bytes that are missing
}

void reset(void) {
  static int8_t image[784];
  for (volatile uint32_t* word = bss_start; word < bss_end; ++word) *word = 0;
  systick[1] = 0xFFFFFF;
  systick[0] = 5;  // on, at the processor's clock
  const intptr_t images = open_file("images.bin", 10, READ_BINARY);
  const intptr_t results = open_file("results.bin", 11, WRITE_BINARY);
  intptr_t reason = STOPPED;
  while (transfer(READ, images, image, sizeof image) == 0) {
    int8_t logits[10];
    const uint32_t start = systick[2];
    const int digit = CLASSIFY(image, logits);
    const uint32_t elapsed = (start - systick[2]) & 0xFFFFFF;
    transfer(WRITE, results, logits, sizeof logits);
    transfer(WRITE, results, &elapsed, sizeof elapsed);
    for (int other = 0; other < 10; ++other) {
      if (logits[other] > logits[digit]) reason = STOPPED_BY_ERROR;
    }
  }
  semihosting(EXIT, (const void*)reason);
}

// The processor loads its stack pointer and the address of its first instruction from
// the start of flash. No interrupt is used; a fault ends in the emulator's timeout.
__attribute__((section(".vectors"), used)) static const void* const vectors[] = {
    stack_top, (const void*)reset};
