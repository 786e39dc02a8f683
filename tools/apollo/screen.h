#pragma once

#include <optional>
#include <string>

namespace apollo::client {

// A terminal that shows one page. Single-threaded.
class Screen {
 public:
  virtual ~Screen() = default;
  // Shows the first lines of the text in the place of what was there, as far as
  // there is room. `text` is valid UTF-8 without control characters but line
  // feeds.
  virtual void Show(const std::string& text) = 0;
  // Returns a key that was pressed, or nullopt. Does not wait.
  virtual std::optional<char> Key() = 0;
};

}  // namespace apollo::client
