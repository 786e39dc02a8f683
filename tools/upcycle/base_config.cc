#include <absl/strings/str_cat.h>

#include <cmath>

#include "common/strings.h"
#include "tools/upcycle/dense_base.h"

namespace apollo {

absl::Status CheckBaseConfig(const BaseConfig& config,
                             std::string_view source) {
  const auto error = [&](const auto&... parts) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source), ": ", parts...));
  };
  struct Bound {
    const char* name;
    std::int64_t value;
    std::int64_t max;
  };
  // Far above any real model; the products stay below 2^63.
  for (const Bound& bound :
       {Bound{"the hidden size", config.hidden_size, 1 << 20},
        Bound{"the MLP's size", config.intermediate_size, 1 << 22},
        Bound{"the number of layers", config.num_layers, 1 << 12},
        Bound{"the number of attention heads", config.num_heads, 1 << 16},
        Bound{"the number of key/value heads", config.num_kv_heads, 1 << 16},
        Bound{"the vocabulary's size", config.vocab_size, 1 << 24},
        Bound{"the number of positions", config.max_positions, 1 << 30}}) {
    if (bound.value < 1 || bound.value > bound.max) {
      return error(bound.name, " is ", bound.value, "; it must be from 1 to ",
                   bound.max);
    }
  }
  constexpr int kMaxHeadSize = 65536;  // As in model/config.
  if (config.head_dim != 0) {
    if (config.head_dim < 2 || config.head_dim > kMaxHeadSize ||
        config.head_dim % 2 != 0) {
      return error("head_dim is ", config.head_dim, "; it must be even, from 2",
                   " to ", kMaxHeadSize);
    }
  } else if (config.hidden_size % config.num_heads != 0 ||
             config.head_size() % 2 != 0) {
    return error("hidden size ", config.hidden_size, " over ", config.num_heads,
                 " heads must give an even head size");
  }
  // The numbers of all heads together, which tensors have as rows.
  constexpr std::int64_t kMaxHeadRows = 1 << 26;
  if (config.num_heads * config.head_size() > kMaxHeadRows) {
    return error(config.num_heads, " attention heads of ", config.head_size(),
                 " numbers are too many; they must have at most ", kMaxHeadRows,
                 " together");
  }
  if (config.num_heads % config.num_kv_heads != 0) {
    return error(config.num_heads, " attention heads cannot share ",
                 config.num_kv_heads, " key/value heads evenly");
  }
  for (const double value : {config.rope_theta, config.rms_norm_eps}) {
    if (!std::isfinite(value) || value <= 0) {
      return error("rope_theta is ", config.rope_theta, " and rms_norm_eps is ",
                   config.rms_norm_eps, "; both must be positive");
    }
  }
  const auto valid_id = [&](std::int64_t id) {
    return id >= 0 && id < config.vocab_size;
  };
  if (config.bos_token_id != -1 && !valid_id(config.bos_token_id)) {
    return error("the begin-of-text token id ", config.bos_token_id,
                 " is not in the vocabulary of ", config.vocab_size);
  }
  if (config.eos_token_ids.empty())
    return error("no end-of-text token is given");
  for (const std::int64_t id : config.eos_token_ids) {
    if (!valid_id(id)) {
      return error("the end-of-text token id ", id,
                   " is not in the vocabulary of ", config.vocab_size);
    }
  }
  return absl::OkStatus();
}

}  // namespace apollo
