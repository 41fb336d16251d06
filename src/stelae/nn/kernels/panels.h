// Weights of a linear layer as they are multiplied, and the sums that come of it.
//
// Weights are laid out once: per PANEL outputs, per cell of inputs, the cells of all of these
// outputs side by side, zeros where outputs end.

#pragma once

#include "registers.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

constexpr int PANEL = WIDE * LANES;    // outputs whose weights lie together
#ifdef STELAE_TILES
constexpr int TOGETHER = 32;           // rows at a time
constexpr int64_t BLOCK = 192;         // rows that go through one panel after another
#else
constexpr int TOGETHER = 6;
constexpr int64_t BLOCK = 96;
#endif
constexpr int64_t MANY = 24;           // rows that take longer than the weights of the next panel
constexpr int64_t CELL = 4;            // bytes

// What weights of all kinds have in common.
struct Panels {
    const char* start;
    const float* bias;  // as many as outputs, in whole panels; zeros where there is none
    int inputs, outputs;
    int cells;  // of inputs

    int count() const { return (outputs + PANEL - 1) / PANEL; }
    const char* at(int panel) const { return start + CELL * PANEL * panel * int64_t(cells); }
};

// The sums of a tile: of so many rows from `row` on, and of outputs from `output` on.
struct Tile {
    alignas(64) float sums[TOGETHER][PANEL];
    int64_t row;
    int rows, output;
    int registers;  // with outputs; the last may have fewer than LANES of them

    // Calls `take` with the row, the output, how many there are from there on, and their sums.
    template <class Take>
    void each(const Panels& w, const Take& take) const {
        for (int r = 0; r < rows; ++r) {
            for (int n = 0; n < registers; ++n) {
                const int at = output + n * LANES;
                take(row + r, at, std::min(LANES, w.outputs - at), load(sums[r] + n * LANES));
            }
        }
    }
};

// What is fetched while a tile is summed: so many registers from `start` on.
struct Ahead {
    const char* start;
    int count;

    INLINE void fetch(int number) const {
        if (number < count) fetch_soon(start + number * CELL * LANES);
    }
};

// Rows as they are multiplied.
struct Rows {
    const Number* start;
    int64_t stride;

    const Number* operator[](int64_t row) const { return start + row * stride; }
};

}  // namespace
