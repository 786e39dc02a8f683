#include "model/language/fasttext_settings.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <cmath>

#include "common/strings.h"

namespace apollo {

double FastTextSettings::TemperatureFor(int letters) const {
  const auto next = temperatures.upper_bound(letters);
  return next == temperatures.begin() ? 1.0 : std::prev(next)->second;
}

absl::StatusOr<FastTextSettings> FastTextSettings::Parse(
    std::string_view text, std::string_view source) {
  FastTextSettings settings;
  int number = 0;
  const auto error = [&](absl::string_view message) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source), ":", number, ": ", message));
  };
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.size() != 3 ||
        (words[0] != "label" && words[0] != "temperature")) {
      return error(
          "want \"label <label> <language>\" or \"temperature <letters> <T>\"");
    }
    if (words[0] == "label") {
      if (!settings.languages.emplace(words[1], words[2] == "-" ? "" : words[2])
               .second) {
        return error("this label is already given");
      }
      continue;
    }
    int letters = 0;
    double temperature = 0;
    if (!absl::SimpleAtoi(words[1], &letters) || letters < 0) {
      return error("the number of letters is not a whole number from 0");
    }
    if (!absl::SimpleAtod(words[2], &temperature) ||
        !std::isfinite(temperature) || temperature < 0.05 ||
        temperature > 20.0) {
      return error("the temperature is not a number from 0.05 to 20");
    }
    if (!settings.temperatures.emplace(letters, temperature).second) {
      return error("a temperature for this number of letters is already given");
    }
  }
  return settings;
}

}  // namespace apollo
