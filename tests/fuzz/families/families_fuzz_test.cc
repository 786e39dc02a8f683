// Any bytes as a families file, and as the settings of a classifier: the result
// must be a valid table, or an error that names file and line.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "model/language/families.h"
#include "model/language/fasttext_settings.h"

namespace {

void Expect(bool condition) {
  if (!condition) std::abort();
}

void CheckTable(const apollo::FamilyTable& table) {
  const auto& families = table.families();
  Expect(!families.empty());
  std::set<std::string> languages;
  for (std::size_t e = 0; e < families.size(); ++e) {
    Expect(families[e].expert == static_cast<int>(e));
    Expect(!families[e].name.empty() && !families[e].languages.empty());
    for (const std::string& language : families[e].languages) {
      Expect(languages.insert(language).second);
      Expect(table.ExpertOf(language) == families[e].expert);
    }
  }
  const int experts = static_cast<int>(families.size());
  Expect(table.Validate(experts).ok());
  Expect(!table.Validate(experts - 1).ok());
}

// Checks for "f:" and a line number, or an error about the whole file; all
// printable.
void CheckError(std::string_view message) {
  Expect(message.starts_with("f:"));
  for (const char c : message) Expect(c >= ' ' && c <= '~');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto table = apollo::FamilyTable::Parse(input, "f");
  if (table.ok()) {
    CheckTable(*table);
  } else {
    const auto message = table.status().message();
    CheckError({message.data(), message.size()});
  }
  const auto settings = apollo::FastTextSettings::Parse(input, "f");
  if (settings.ok()) {
    for (const int letters : {0, 10, 1 << 30}) {
      const double temperature = settings->TemperatureFor(letters);
      Expect(temperature >= 0.05 && temperature <= 20);
    }
  } else {
    const auto message = settings.status().message();
    CheckError({message.data(), message.size()});
  }
  return 0;
}
