#pragma once

#include <memory>

#include "model/language/detector.h"
#include "model/language/families.h"

namespace apollo {

// A detector based on Chrome's Compact Language Detector 2. Needs no model file
// and knows 47 of the 50 languages of the paper. CLD2 codes are mapped to those
// of the table (zh-Hant to zh, iw to he, ...); languages outside the table, and
// those written in no script of the text, are dropped: romanised text is not
// detected. Confidences are rough, because CLD2's percentages are not
// probabilities. Does not keep a reference to the table.
std::unique_ptr<LanguageDetector> MakeCld2Detector(const FamilyTable& families);

}  // namespace apollo
