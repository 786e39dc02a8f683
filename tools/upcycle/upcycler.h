#pragma once

#include <absl/status/status.h>

#include <functional>
#include <string>

#include "tools/upcycle/options.h"

namespace apollo {

// Turns the dense model `options.input` into a Post-MoE model in the new
// directory `options.output`: config.json, model.safetensors, tokenizer.json.
// The experts of a sparse layer are exact copies of its dense MLP; its gate is
// small random numbers (tools/upcycle/gate.h). Everything about the input is
// checked before the first weight is written, and the output appears only when
// it is complete. Weights are streamed: memory does not grow with the model.
//
// `progress` gets one line at a time, without a line break. Errors name the
// file and the tensor, key or option.
absl::Status Upcycle(const UpcycleOptions& options,
                     const std::function<void(const std::string&)>& progress);

}  // namespace apollo
