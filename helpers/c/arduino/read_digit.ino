// SPDX-License-Identifier: Apache-2.0
//
// Reads handwritten digits that arrive over the USB cable, on an Arduino Uno and larger
// boards. model.h names the network. In the serial monitor (115200 baud) the board greets
// and shows its answer for the image that it carries; send ? to see the last answer again.
//
// Protocol: lines of text, 8N1. CRC: CRC-16, polynomial 0x1021, start 0xFFFF, 4 hex digits.
//   board   digits 1, mnist_cnn 0123abcd, self-test passed*CRC      greeting, and after a ?
//   host    :00P...PCRC    row 0 (00 to 1b), 28 pixels - 128 as two hex digits each; the
//                          CRC is of these 29 bytes. Row 0 always starts a new image.
//   board   next 1*CRC     row 0 is taken (CRC of the text before the *). A row that comes
//                          a second time is not taken again, but gets the same reply.
//   board   again 0*CRC    a line came damaged, not to its end within 0.2 s, or out of
//                          turn: send row 0 next.
//   board   digit 7, logits -9 ... 80, 362912 microseconds*CRC      after row 27 (1b)
// A host that gets no reply in a second, or a damaged one, sends the row again. It
// ignores a "next" or an answer that it does not wait for, and sends nothing meanwhile.

#include "model.h"

const uint8_t PIXELS = 28;                  // of a row
const uint8_t ROWS = 28;                    // of an image
const uint8_t LINE_BYTES = 1 + PIXELS + 2;  // row number, pixels, CRC
const uint8_t DAMAGED = 255;
const unsigned long PATIENCE_MS = 200;

uint8_t line[LINE_BYTES];
uint8_t digits_received;  // hex digits of the line so far, or DAMAGED
bool line_is_open;        // something came since the last line ended
unsigned long last_character_ms;

uint8_t rows_taken;  // of the image that is being read
int8_t logits[10];
unsigned long microseconds;  // of computing, for the image so far
bool self_test_passed;

uint16_t add_to_crc(uint16_t crc, uint8_t value) {
  crc ^= (uint16_t)(value << 8);
  for (uint8_t bit = 0; bit < 8; ++bit) {
    crc = crc & 0x8000 ? (uint16_t)(crc << 1) ^ 0x1021 : (uint16_t)(crc << 1);
  }
  return crc;
}

// What is printed here goes to the host. end() adds the CRC and ends the line.
class CheckedLine : public Print {
 public:
  size_t write(uint8_t character) {
    crc_ = add_to_crc(crc_, character);
    return Serial.write(character);
  }
  using Print::write;

  void end() {
    Serial.print('*');
    for (int8_t shift = 12; shift >= 0; shift -= 4)
      Serial.print(crc_ >> shift & 15, HEX);
    Serial.println();
    crc_ = 0xFFFF;
  }

 private:
  uint16_t crc_ = 0xFFFF;
};

CheckedLine reply;

void setup() {
  Serial.begin(115200);
  self_test_passed = test_yourself();
  greet();
}

void loop() {
  if (Serial.available() > 0) {
    take_character((char)Serial.read());
    last_character_ms = millis();
  } else if (line_is_open && millis() - last_character_ms > PATIENCE_MS) {
    line_is_open = false;
    ask_again();
  }
}

void take_character(char character) {
  if (character == '?') {
    line_is_open = false;
    greet();
  } else if (character == ':') {
    line_is_open = true;
    digits_received = 0;
  } else if (character == '\n' || character == '\r') {
    if (line_is_open) take_line();
    line_is_open = false;
  } else {
    // Without a colon before it, a character is what is left of a damaged line.
    if (!line_is_open) digits_received = DAMAGED;
    line_is_open = true;
    take_hex_digit(character);
  }
}

void take_hex_digit(char character) {
  uint8_t value = 0;
  if (character >= '0' && character <= '9') {
    value = (uint8_t)(character - '0');
  } else if (character >= 'a' && character <= 'f') {
    value = (uint8_t)(character - 'a' + 10);
  } else {
    digits_received = DAMAGED;
  }
  if (digits_received >= 2 * LINE_BYTES) {
    digits_received = DAMAGED;
    return;
  }
  uint8_t* const byte = line + digits_received / 2;
  *byte = (uint8_t)(*byte << 4 | value);
  ++digits_received;
}

void take_line() {
  uint16_t crc = 0xFFFF;
  for (uint8_t i = 0; i < LINE_BYTES; ++i) crc = add_to_crc(crc, line[i]);
  // The CRC of bytes that end with their own CRC is zero.
  const bool is_whole = digits_received == 2 * LINE_BYTES && crc == 0;
  const uint8_t row = line[0];
  if (!is_whole) {
    ask_again();
  } else if (row == 0 || (row == rows_taken && row < ROWS)) {
    take_row(row, (const int8_t*)line + 1);
    confirm();
  } else if (row + 1 == rows_taken) {
    confirm();  // the first reply was lost
  } else {
    ask_again();
  }
}

void take_row(uint8_t row, const int8_t* pixels) {
  if (row == 0) {
    model_begin();
    microseconds = 0;
  }
  const unsigned long start = micros();
  model_row(pixels, logits);
  microseconds += micros() - start;
  rows_taken = (uint8_t)(row + 1);
}

void confirm() {
  if (rows_taken == ROWS) {
    answer();
  } else {
    reply.print(F("next "));
    reply.print(rows_taken);
    reply.end();
  }
}

void ask_again() {
  reply.print(F("again "));
  reply.print(rows_taken % ROWS);
  reply.end();
}

void greet() {
  reply.print(F("digits 1, " MODEL_NAME " " MODEL_SHA256 ", self-test "));
  reply.print(self_test_passed ? F("passed") : F("FAILED"));
  reply.end();
  if (rows_taken == ROWS) answer();
}

void answer() {
  uint8_t best = 0;
  for (uint8_t digit = 1; digit < 10; ++digit) {
    if (logits[digit] > logits[best]) best = digit;
  }
  reply.print(F("digit "));
  reply.print(best);
  reply.print(F(", logits"));
  for (uint8_t digit = 0; digit < 10; ++digit) {
    reply.print(' ');
    reply.print(logits[digit]);
  }
  reply.print(F(", "));
  reply.print(microseconds);
  reply.print(F(" microseconds"));
  reply.end();
}

// Reads the image that the sketch carries; returns whether its logits are as they should.
bool test_yourself() {
  int8_t pixels[PIXELS];
  for (uint8_t row = 0; row < ROWS; ++row) {
    memcpy_P(pixels, golden_image + row * PIXELS, PIXELS);
    take_row(row, pixels);
  }
  return memcmp_P(logits, golden_logits, sizeof logits) == 0;
}
