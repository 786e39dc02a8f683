#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/config/config_reader.h"

namespace apollo {

// The token ids that end an answer.
struct EndTokens {
  // Those of config.json, in its order, then `added`.
  std::vector<std::int32_t> all;
  // Those that only generation_config.json names.
  std::vector<std::int32_t> added;
};

// Reads "eos_token_id", an id or a list, of config.json and, unless it is null,
// of generation_config.json. The ends are those of both together: a model may
// have a further end for chats in the latter, while tools that write the latter
// may leave out that of config.json. Returns INVALID_ARGUMENT, naming the file,
// for values that are not ids below `vocab_size`, or if both files lack the
// key; appends a warning if there is no end because a file says [].
absl::StatusOr<EndTokens> ReadEndTokens(const ConfigReader& config,
                                        const ConfigReader* generation,
                                        int vocab_size,
                                        std::vector<std::string>& warnings);

}  // namespace apollo
