// An Arduino Uno, emulated by simavr, whose serial port is a TCP socket.
//
//   emulated_uno sketch.elf [faults [seed]]
//
// Prints "port" and the number at which it listens. Each connection resets the board, as
// opening a real Uno's port does; when it ends, it prints what was seen:
//   stack 171 dropped 0 doubled 0 changed 0
// `faults` is the share of bytes, in both directions, of which one in three is lost, sent
// twice or changed, in 1 / 10,000. Bytes to the board take the time that they take at
// 115200 baud; the clock of the board runs as fast as this computer can.
// GPLv3 like simavr, because it is linked with it; it is no part of what is published.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLOCK = 16000000, CYCLES_A_BYTE = CLOCK / 115200 * 10, PAINT = 0xA5 };

static avr_t* avr;
static int client;
static unsigned faults, dropped, doubled, changed;
static uint32_t random_state = 1;

static uint8_t from_host[4096];
static int waiting, next_byte;

static uint32_t random_number(void) {
  random_state = random_state * 1664525 + 1013904223;  // Numerical Recipes
  return random_state >> 8;
}

// Passes a byte on as a bad line would: returns how often it arrives.
static int through_the_line(uint8_t* byte) {
  if (random_number() % 10000 >= faults) return 1;
  switch (random_number() % 3) {
    case 0:
      ++dropped;
      return 0;
    case 1:
      ++doubled;
      return 2;
    default:
      ++changed;
      *byte ^= 1 << random_number() % 8;
      return 1;
  }
}

static void board_sends(avr_irq_t* irq, uint32_t value, void* parameter) {
  (void)irq;
  (void)parameter;
  uint8_t byte = (uint8_t)value;
  int times = through_the_line(&byte);
  while (times-- > 0) {
    if (write(client, &byte, 1) < 0) return;  // the host has gone; recv() will say so
  }
}

// Takes what the host has sent; returns 0 when the host has gone.
static int receive(void) {
  uint8_t bytes[1024];
  if (next_byte < waiting) return 1;
  const ssize_t count = recv(client, bytes, sizeof bytes, MSG_DONTWAIT);
  if (count == 0) return 0;
  waiting = next_byte = 0;
  for (ssize_t i = 0; i < count; ++i) {
    uint8_t byte = bytes[i];
    int times = through_the_line(&byte);
    while (times-- > 0) from_host[waiting++] = byte;
  }
  return 1;
}

// Runs the board until the host hangs up.
static void run(unsigned end_of_variables) {
  avr_irq_t* const input =
      avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
  avr_cycle_count_t due = 0, asked = 0;
  waiting = next_byte = 0;
  avr_reset(avr);
  memset(avr->data + end_of_variables, PAINT, avr->ramend + 1 - end_of_variables);
  for (;;) {
    const int state = avr_run(avr);
    if (state == cpu_Crashed || state == cpu_Done) exit(1);
    if (avr->cycle >= asked) {
      asked = avr->cycle + 10000;
      if (!receive()) return;
    }
    if (next_byte < waiting && avr->cycle >= due) {
      due = avr->cycle + CYCLES_A_BYTE;
      avr_raise_irq(input, from_host[next_byte++]);
    }
  }
}

static unsigned stack_bytes(unsigned end_of_variables) {
  unsigned address = end_of_variables;
  while (address <= avr->ramend && avr->data[address] == PAINT) ++address;
  return avr->ramend + 1 - address;
}

static int listen_anywhere(void) {
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(server, (struct sockaddr*)&address, size) || listen(server, 1)) exit(1);
  getsockname(server, (struct sockaddr*)&address, &size);
  printf("port %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return server;
}

int main(int count, char** arguments) {
  static elf_firmware_t firmware;
  if (count < 2 || elf_read_firmware(arguments[1], &firmware)) return 1;
  if (count > 2) faults = (unsigned)atoi(arguments[2]);
  if (count > 3) random_state = (uint32_t)atoi(arguments[3]);
  strcpy(firmware.mmcu, "atmega328p");
  firmware.frequency = CLOCK;
  avr = avr_make_mcu_by_name("atmega328p");
  avr_init(avr);
  avr->log = LOG_ERROR;
  avr_load_firmware(avr, &firmware);

  uint32_t flags = 0;  // no pauses, no copy of the output on the screen
  avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  avr_irq_register_notify(
      avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), board_sends,
      NULL);

  const unsigned end_of_variables = 0x100 + firmware.datasize + firmware.bsssize;
  const int server = listen_anywhere();
  for (;;) {
    client = accept(server, NULL, NULL);
    const int at_once = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    run(end_of_variables);
    close(client);
    printf("stack %u dropped %u doubled %u changed %u\n", stack_bytes(end_of_variables),
           dropped, doubled, changed);
    fflush(stdout);
  }
}
