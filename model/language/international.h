#pragma once

#include <string>
#include <string_view>

namespace apollo {

// Of `prose` (as from ExtractProse) what is left without names that are written
// alike in many languages: those of medicines, by a list (drug_names.txt) and
// by the stems that the WHO gives them. Names with the letters or the ending of
// one language ("ibuprofène", "amoxicilina") stay.
std::string DropDrugNames(std::string_view prose);

// Overwrites with blanks names that end in a number after a hyphen: "IL-6",
// "COVID-19", "SARS-CoV-2". (Those without a hyphen, as "HbA1c" and "BRCA1",
// are left out by ExtractProse.)
void BlankNumberedNames(std::string* text);

// How many different words of `prose` could tell its language: not those that
// people put between names in a list ("and", "und", "y") or behind them
// ("bid"), nor single letters.
int TellingWords(std::string_view prose);

}  // namespace apollo
