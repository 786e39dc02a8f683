#pragma once

// The bounds of the buckets of histograms, in ascending order. A histogram has
// one more bucket, for everything above the last bound.
namespace apollo {

// Seconds of a request or a part of it: from a token on a fast machine to a
// long answer on a slow one.
inline constexpr double kRequestSeconds[] = {
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1,  0.15,
    0.25,  0.5,    1.0,   2.5,  5.0,  10.0, 20.0, 40.0,  80.0, 160.0};

// Seconds of a step of a worker: from one on a GPU to one of a long prompt on a
// slow processor.
inline constexpr double kStepSeconds[] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0};

// Seconds for which an answer stands still when a worker is lost or replaced.
inline constexpr double kPauseSeconds[] = {
    0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0};

// Rows that are computed together.
inline constexpr double kRows[] = {1,  2,   4,   8,   16,   32,
                                   64, 128, 256, 512, 1024, 2048};

// A probability.
inline constexpr double kProbabilities[] = {0.1, 0.2, 0.3, 0.4,  0.5,  0.6,
                                            0.7, 0.8, 0.9, 0.95, 0.99, 1.0};

}  // namespace apollo
