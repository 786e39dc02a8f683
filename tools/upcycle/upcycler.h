#pragma once

#include <absl/status/status.h>

#include <functional>
#include <string>

#include "tools/upcycle/options.h"

namespace apollo {

// Converts the dense model `options.input` into a Post-MoE model in the new
// directory `options.output`: config.json, model.safetensors, tokenizer.json,
// and chat_template.jinja if the base brings a template along, which is
// tried. The experts of a
// sparse layer are exact copies of its dense MLP; its gate consists of small
// random numbers (tools/upcycle/gate.h), or is made from texts of the language
// families (tools/upcycle/gate_from_texts.h), for which the model is written
// twice. The input is checked completely before
// the first weight is written, and the output appears only when it is complete.
// Weights are streamed, so memory does not grow with the model, unless the
// gates are made from texts: then it holds the model's weights.
//
// `progress` receives one line at a time, without a line break. Errors name the
// file and the tensor, key or option.
absl::Status Upcycle(const UpcycleOptions& options,
                     const std::function<void(const std::string&)>& progress);

}  // namespace apollo
