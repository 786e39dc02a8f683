#pragma once

#include <span>
#include <string_view>

namespace apollo {

enum class KeyUse {
  kRead,       // The parser reads the value and checks it.
  kHarmless,   // No value changes what the model computes.
  kFixed,      // Must be one of `right`, or null: other values ask for another
               // computation.
  kFixedEach,  // A list, or null: each of its entries must be one of `right`.
  kObject,     // An object, or null: its keys are rows of their own.
};

// A key of config.json or generation_config.json.
struct ConfigKey {
  std::string_view path;  // Keys within an object are joined by dots.
  KeyUse use;
  std::string_view about;  // kHarmless: the reason; kFixed and kFixedEach: what
                           // another value would ask for; else empty.
  std::string_view right;  // kFixed, kFixedEach: JSON list of values.
};

// The table of all known keys of config.json. docs/models.md explains it.
std::span<const ConfigKey> ConfigKeys();

}  // namespace apollo
