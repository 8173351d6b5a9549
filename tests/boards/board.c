// The port for a Cortex-M without an operating system: start-up, files, clock.
//
// Files are those of the computer that runs the emulator or the debugger, by Arm's
// semihosting: https://github.com/ARM-software/abi-aa/blob/main/semihosting/semihosting.rst
#include "port.h"

enum { OPEN = 0x01, WRITE = 0x05, READ = 0x06, EXIT = 0x18 };
enum { READ_BINARY = 1, WRITE_BINARY = 5 };            // modes of OPEN
enum { STOPPED_BY_ERROR = 0x20023, STOPPED = 0x20026 };  // reasons of EXIT

static intptr_t images, results;

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

void open_files(void) {
  images = open_file("images.bin", 10, READ_BINARY);
  results = open_file("results.bin", 11, WRITE_BINARY);
}

int read_images(void* bytes, int count) {
  const intptr_t arguments[] = {images, (intptr_t)bytes, count};
  return semihosting(READ, arguments) == 0;  // the number of bytes that are missing
}

void write_results(const void* bytes, int count) {
  const intptr_t arguments[] = {results, (intptr_t)bytes, count};
  semihosting(WRITE, arguments);
}

// SysTick, a timer of the processor: control, reload, current value.
static volatile uint32_t* const systick = (volatile uint32_t*)0xE000E010;

uint32_t ticks(void) { return systick[2]; }

int main(void);
extern uint32_t bss_start[], bss_end[], stack_top[];  // from board.ld

void reset(void) {
  for (volatile uint32_t* word = bss_start; word < bss_end; ++word) *word = 0;
  systick[1] = 0xFFFFFF;
  systick[0] = 5;  // on, at the processor's clock
  semihosting(EXIT, (const void*)(main() ? STOPPED_BY_ERROR : STOPPED));
}

// The processor loads its stack pointer and the address of its first instruction from
// the start of flash. No interrupt is used; a fault ends in the emulator's timeout.
__attribute__((section(".vectors"), used)) static const void* const vectors[] = {
    stack_top, (const void*)reset};
