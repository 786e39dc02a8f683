#pragma once

#include <memory>

#include "model/language/detector.h"
#include "model/language/families.h"

namespace apollo {

// Chrome's Compact Language Detector 2: needs no model file, knows 47 of the
// paper's 50 languages. CLD2 codes are mapped to the table's (zh-Hant to zh, iw
// to he, ...); a guess whose language is not in the table is left out. CLD2's
// own percentages are not probabilities, and the confidences made of them are
// rough. Copies what it needs of the table.
std::unique_ptr<LanguageDetector> MakeCld2Detector(const FamilyTable& families);

}  // namespace apollo
