#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>

#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/gguf_model.h"

namespace apollo {

// Returns the GGUF name of a tensor with this Hugging Face name, or an empty
// string if there is none.
std::string GgufName(std::string_view hugging_face_name);

// Checks that the model has no tensor besides those of `config` and
// rope_freqs.weight, as llama.cpp does too: another would change the result.
// Returns INVALID_ARGUMENT, naming file, tensor and reason.
absl::Status CheckGgufTensors(const GgufModel& model, const BaseConfig& config);

}  // namespace apollo
