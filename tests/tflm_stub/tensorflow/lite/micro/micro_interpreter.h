// Stand-in for TFLM's header of this name, to compile programs without TFLM: the few
// names that this project's files and notebook 6 use, with the types that they have in
// TFLM (August 2026), and an interpreter that always answers with zeros.
#ifndef TFLM_STUB_MICRO_INTERPRETER_H_
#define TFLM_STUB_MICRO_INTERPRETER_H_

#include <stddef.h>
#include <stdint.h>

typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;

typedef union TfLitePtrUnion {
  int8_t* int8;
} TfLitePtrUnion;

typedef struct TfLiteTensor {
  TfLitePtrUnion data;
} TfLiteTensor;

namespace tflite {

struct Model;

inline const Model* GetModel(const void* buffer) {
  return static_cast<const Model*>(buffer);
}

class MicroOpResolver {};

class MicroInterpreter {
 public:
  MicroInterpreter(const Model*, const MicroOpResolver&, uint8_t*, size_t) {}
  TfLiteStatus AllocateTensors() { return kTfLiteOk; }
  TfLiteStatus Invoke() { return kTfLiteOk; }
  TfLiteTensor* input(size_t) { return &input_; }
  TfLiteTensor* output(size_t) { return &output_; }

 private:
  int8_t image_[784] = {}, scores_[10] = {};
  TfLiteTensor input_ = {{image_}}, output_ = {{scores_}};
};

}  // namespace tflite

#endif
