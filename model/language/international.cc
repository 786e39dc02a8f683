#include "model/language/international.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <unordered_set>

namespace apollo {
namespace {

constexpr char kDrugNames[] =
#include "model/language/drug_names.inc"
    ;

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsLetter(char c) { return IsLower(c) || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// The words of the list; views of kDrugNames.
std::unordered_set<std::string_view> ParseNames() {
  std::unordered_set<std::string_view> names;
  const std::string_view text = kDrugNames;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '#') {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && IsLower(text[end])) ++end;
    if (end > i) names.insert(text.substr(i, end - i));
    i = std::max(end, i + 1);
  }
  return names;
}

bool IsListed(std::string_view word) {
  static const auto* const names =
      new std::unordered_set<std::string_view>(ParseNames());
  return names->contains(word);
}

// WHO, "The use of stems in the selection of International Nonproprietary Names
// (INN) for pharmaceutical substances" (the stem book, 2018). Of its stems
// those that no word of seven letters or more in the training texts ends with.
constexpr std::array<std::string_view, 65> kStems = {
    "azepam",  "azolam",   "azole",     "bactam",   "bendazole", "caftor",
    "caine",   "ciclib",   "cillin",    "citabine", "coxib",     "curium",
    "cycline", "dronic",   "fenac",     "fentanil", "floxacin",  "fungin",
    "gatran",  "gepant",   "glitazone", "gliptin",  "gliflozin", "glutide",
    "grastim", "grel",     "kinra",     "lisib",    "lukast",    "mab",
    "micin",   "mustine",  "mycin",     "nidazole", "olol",      "oxacin",
    "oxetine", "oxicam",   "peridone",  "pitant",   "platin",    "poetin",
    "prazole", "profen",   "quantel",   "racetam",  "rafenib",   "relix",
    "rubicin", "sartan",   "setron",    "stigmine", "taxel",     "tegravir",
    "terone",  "thiazide", "tinib",     "tizine",   "triptan",   "trexed",
    "tropium", "vaptan",   "vastatin",  "vudine",   "xaban"};

bool IsDrugName(std::string_view word) {
  constexpr std::size_t kShortest = 4, kLongest = 32, kShortestByStem = 7;
  if (word.size() < kShortest || word.size() > kLongest) return false;
  if (!std::all_of(word.begin(), word.end(), IsLower)) return false;
  if (word.size() >= kShortestByStem &&
      std::any_of(kStems.begin(), kStems.end(), [word](std::string_view stem) {
        return word.ends_with(stem);
      })) {
    return true;
  }
  return IsListed(word);
}

// Between names in a list, in languages with Latin letters.
constexpr std::array<std::string_view, 24> kConnectives = {
    "and", "or",  "with", "plus", "vs",  "und", "oder", "mit",
    "et",  "ou",  "avec", "con",  "com", "och", "og",   "eller",
    "ed",  "ili", "nebo", "ug",   "na",  "sy",  "ne",   "versus"};
// Latin and English abbreviations of prescriptions, and forms.
constexpr std::array<std::string_view, 24> kPrescription = {
    "bid",  "tid", "qid",  "qd",  "qhs", "prn",   "po",   "iv",
    "im",   "sc",  "sr",   "xr",  "er",  "tab",   "tabs", "cap",
    "caps", "inj", "susp", "hcl", "iu",  "units", "dose", "tablet"};

template <std::size_t kSize>
bool Contains(const std::array<std::string_view, kSize>& words,
              std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The words of prose, which single blanks separate.
template <typename Visit>
void ForEachWord(std::string_view prose, const Visit& visit) {
  for (std::size_t begin = 0; begin < prose.size();) {
    const std::size_t end = std::min(prose.find(' ', begin), prose.size());
    if (end > begin) visit(prose.substr(begin, end - begin));
    begin = end + 1;
  }
}

// Letters, perhaps with hyphens between them, a hyphen and digits.
bool IsNumberedName(std::string_view token) {
  std::size_t i = token.size();
  while (i > 0 && IsDigit(token[i - 1])) --i;
  if (i == token.size() || i < 2 || token[i - 1] != '-') return false;
  if (!IsLetter(token[0])) return false;
  return std::all_of(token.begin(), token.begin() + (i - 1), [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '-';
  });
}

}  // namespace

std::string DropDrugNames(std::string_view prose) {
  std::string left;
  left.reserve(prose.size());
  ForEachWord(prose, [&left](std::string_view word) {
    if (IsDrugName(word)) return;
    if (!left.empty()) left.push_back(' ');
    left.append(word);
  });
  return left;
}

void BlankNumberedNames(std::string* text) {
  const std::size_t size = text->size();
  const auto is_part = [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '-' || !IsAscii(c);
  };
  for (std::size_t begin = 0; begin < size;) {
    std::size_t end = begin;
    while (end < size && is_part((*text)[end])) ++end;
    if (end > begin &&
        IsNumberedName(std::string_view(*text).substr(begin, end - begin))) {
      std::fill(text->begin() + begin, text->begin() + end, ' ');
    }
    begin = std::max(end, begin + 1);
  }
}

int TellingWords(std::string_view prose) {
  std::unordered_set<std::string_view> words;
  ForEachWord(prose, [&words](std::string_view word) {
    if (word.size() > 1 && !Contains(kConnectives, word) &&
        !Contains(kPrescription, word)) {
      words.insert(word);
    }
  });
  return static_cast<int>(words.size());
}

}  // namespace apollo
