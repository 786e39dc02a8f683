#include "router/request/resume_checks.h"

#include <absl/strings/str_cat.h>

#include <cstddef>
#include <string>

#include "router/request/token_checks.h"
#include "sequence/numerics_text.h"

namespace apollo {
namespace {

void CheckChoices(const GenerateInput& input, const RequestLimits& limits,
                  FieldErrors& errors) {
  const ResumeInput& resume = *input.resume;
  const auto count = static_cast<std::int64_t>(resume.choices.size());
  if (count > input.choices) {
    errors.Add("resume.choices",
               absl::StrCat("has ", count, " choices; the request has ",
                            input.choices));
  }
  const std::int64_t most =
      input.max_new_tokens == 0 ? limits.max_new_tokens : input.max_new_tokens;
  for (std::size_t i = 0; i < resume.choices.size(); ++i) {
    const std::string field = absl::StrCat("resume.choices[", i, "].token_ids");
    const auto tokens =
        static_cast<std::int64_t>(resume.choices[i].tokens.size());
    if (tokens > most) {
      errors.Add(field, absl::StrCat("has ", tokens,
                                     " tokens; the request allows ", most));
    }
    CheckTokens(field, resume.choices[i].tokens, limits, errors);
  }
}

void CheckFamily(const GenerateInput& input, const FamilyTable& families,
                 FieldErrors& errors) {
  const ResumeInput& resume = *input.resume;
  // A request that names its language has that family. If the language was
  // detected, several languages decide about the family together.
  const bool given = !input.input.language.empty();
  const auto families_count =
      static_cast<std::int64_t>(families.families().size());
  const std::int64_t own = families.ExpertOf(input.input.language).value_or(-1);
  if (given && resume.family != own) {
    errors.Add("resume.family",
               absl::StrCat("is ", resume.family,
                            "; the family of the request's language is ", own));
  } else if (resume.family < -1 || resume.family >= families_count) {
    errors.Add("resume.family",
               absl::StrCat("is ", resume.family, "; it must be from -1 to ",
                            families_count - 1));
  } else if (resume.language.empty() && resume.family != -1) {
    errors.Add("resume.family",
               absl::StrCat("is ", resume.family,
                            "; without a language it must be -1"));
  }
}

}  // namespace

void CheckResume(const GenerateInput& input, const RequestLimits& limits,
                 const FamilyTable& families, FieldErrors& errors) {
  const ResumeInput& resume = *input.resume;
  CheckChoices(input, limits, errors);
  if (input.has_seed && resume.seed != input.sampling.seed) {
    errors.Add("resume.seed", "is not the request's sampling.seed");
  }
  if (!resume.language.empty() && !families.ExpertOf(resume.language)) {
    errors.Add("resume.language", "is not a language of the families table");
  } else if (!input.input.language.empty() &&
             resume.language != input.input.language) {
    errors.Add("resume.language", "is not the request's language");
  }
  CheckFamily(input, families, errors);
  if (!resume.numerics.empty() && !ReadNumerics(resume.numerics)) {
    errors.Add("resume.numerics",
               "is not the name of numerics that `started` has");
  }
}

}  // namespace apollo
