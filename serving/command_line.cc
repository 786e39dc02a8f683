#include "serving/command_line.h"

#include <absl/flags/commandlineflag.h>
#include <absl/flags/reflection.h>
#include <absl/status/status.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/time/time.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "common/nearest_word.h"

namespace apollo {
namespace {

using absl::CommandLineFlag;

// Returns the flags of a program, by name, without those of Abseil.
std::map<std::string, CommandLineFlag*> OwnFlags() {
  std::map<std::string, CommandLineFlag*> flags;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    const std::string file = flag->Filename();
    if (absl::EndsWith(file, "/main.cc") || absl::EndsWith(file, "flags.cc")) {
      flags.emplace(std::string(name), flag);
    }
  }
  return flags;
}

absl::Status UnknownFlag(const std::string& argument, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [flag, unused] : OwnFlags()) known.push_back(flag);
  const std::string best = NearestWord(name, known);
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", argument.substr(0, argument.find('=')), "\" is not a flag; ",
      best.empty() ? "" : absl::StrCat("did you mean --", best, "? "),
      "--help lists all flags"));
}

std::string WantedValue(const CommandLineFlag& flag) {
  if (flag.IsOfType<bool>()) return "true or false";
  if (flag.IsOfType<int>() || flag.IsOfType<std::int64_t>()) {
    return absl::StrCat("a whole number such as ", flag.DefaultValue());
  }
  if (flag.IsOfType<absl::Duration>()) {
    return "a time with its unit, such as 10s, 500ms or 2m";
  }
  return absl::StrCat("like ", flag.DefaultValue());
}

// Returns true for Abseil's own flags.
bool NamesFlags(const std::string& name) {
  return name == "flagfile" || name == "fromenv" || name == "tryfromenv" ||
         name == "undefok";
}

struct Found {
  CommandLineFlag* flag = nullptr;  // Null: no such flag.
  std::string name;                 // As Abseil wants it.
  bool negated = false;             // Written as --noNAME.
};

// Finds a flag as it was written, without the leading dashes.
Found Find(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  if (auto* flag = absl::FindCommandLineFlag(name)) return {flag, name};
  // --noflag and --no-flag.
  if (absl::StartsWith(name, "no")) {
    const std::string rest = name.substr(absl::StartsWith(name, "no_") ? 3 : 2);
    CommandLineFlag* const flag =
        rest.empty() ? nullptr : absl::FindCommandLineFlag(rest);
    if (flag != nullptr && flag->IsOfType<bool>()) {
      return {flag, absl::StrCat("no", rest), true};
    }
  }
  return {nullptr, name};
}

}  // namespace

absl::StatusOr<CommandLine> ReadCommandLine(
    const std::vector<std::string>& arguments) {
  CommandLine line;
  const bool tolerant = std::any_of(
      arguments.begin(), arguments.end(), [](const std::string& argument) {
        return absl::StrContains(argument, "-undefok");
      });
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const std::size_t start = argument.find_first_not_of('-');
    if (argument == "-h" || argument == "--help") {
      line.help = true;
      continue;
    }
    if (argument == "--version") {
      line.version = true;
      continue;
    }
    if (start == 0 || start == std::string::npos || start > 2) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", argument, "\" is not a flag; flags are --name=value"));
    }
    const std::size_t equals = argument.find('=');
    const Found found = Find(argument.substr(
        start, equals == std::string::npos ? equals : equals - start));
    if (found.flag == nullptr && !tolerant) {
      return UnknownFlag(argument, found.name);
    }
    if (found.flag == nullptr) {
      line.arguments.push_back(argument);
      continue;
    }
    line.arguments.push_back(absl::StrCat("--", found.name));
    if (equals != std::string::npos && found.negated) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", argument, "\" has a value; it must be --", found.name,
          ", or --", found.flag->Name(), " with true or false"));
    }
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (found.flag->IsOfType<bool>()) {
      continue;
    } else if (++i < arguments.size()) {
      value = arguments[i];
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("--", found.name, " has no value; it must be ",
                       WantedValue(*found.flag)));
    }
    absl::StrAppend(&line.arguments.back(), "=", value);
    // A file would be read now, and again by Abseil.
    if (NamesFlags(found.name)) continue;
    std::string error;
    if (!found.flag->ParseFrom(value, &error)) {
      return absl::InvalidArgumentError(absl::StrCat("--", found.name, " is \"",
                                                     value, "\"; it must be ",
                                                     WantedValue(*found.flag)));
    }
  }
  return line;
}

std::string HelpText(const std::string& program, const std::string& usage) {
  constexpr std::size_t kWidth = 78;
  std::string text = absl::StrCat(program, ": ", usage, "\n\nFlags:\n");
  for (const auto& [name, flag] : OwnFlags()) {
    const std::string value = flag->DefaultValue();
    absl::StrAppend(&text, "  --", name);
    if (!value.empty()) absl::StrAppend(&text, "  (default: ", value, ")");
    std::string line = "\n     ";
    const std::string help = flag->Help();
    for (const absl::string_view word : absl::StrSplit(help, ' ')) {
      if (line.size() + word.size() >= kWidth) {
        absl::StrAppend(&text, line);
        line = "\n     ";
      }
      absl::StrAppend(&line, " ", word);
    }
    absl::StrAppend(&text, line, "\n");
  }
  absl::StrAppend(&text,
                  "\n--help and --version print to standard output and end "
                  "with code 0. Names may be\nspelled with - for _. "
                  "--flagfile=FILE reads flags from a file.\n");
  return text;
}

}  // namespace apollo
