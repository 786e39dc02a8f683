#pragma once

namespace apollo {

// An estimate of the length of answers, learned from those that have ended.
// Single-threaded.
//
// Expected() is the mean length plus the mean deviation from it, both weighted
// exponentially, as the round-trip times of TCP are (Jacobson, 1988). For
// lengths that are spread exponentially around a mean m, a running answer of
// random age t still needs m tokens, and max(0, Expected() - t) has a mean of
// 0.92 m: so the estimates of many running sequences add up to about the tokens
// that they really need.
class AnswerLengths {
 public:
  // Takes the length of an answer, in tokens. Answers without tokens say
  // nothing and must be left out.
  void Add(int tokens);

  // Returns the number of tokens to expect of an answer, at least 1.
  int Expected() const;

  // Expected() before the first answer. It has the weight of kGuessWeight
  // answers, so that the first ones do not decide alone.
  static constexpr int kUnknown = 256;
  static constexpr int kGuessWeight = 4;
  // The weight of an answer is at least 1 / kMemory.
  static constexpr int kMemory = 64;

 private:
  int answers_ = kGuessWeight;  // At most kMemory.
  double mean_ = kUnknown;
  double deviation_ = 0;
};

}  // namespace apollo
