// Rows times weights in whole numbers of eight bits.
//
// Weights are whole numbers from -127 to 127, and a scale for each output. A row is multiplied by
// the smoothing of its inputs (Xiao et al. 2022, arXiv:2211.10438) and becomes whole numbers from
// 0 to 255 by a scale and a zero of its own. So nothing is learnt of the texts but the smoothing,
// and a row gets the same numbers in any company. Products are summed in whole numbers, without
// error; what is not quantised is the one product with both scales, and what follows it.

#pragma once

#include "products.h"
#include "scratch.h"

#include <cmath>
#include <variant>

namespace {

#ifdef STELAE_INT8

constexpr float LEVELS = 254.0f;      // one less than there are: both ends may be rounded up
constexpr float FLATTEST = 1.2e-38f;  // a row of a smaller scale counts as zeros

// Rows in whole numbers, and by what these are to be multiplied after `zero` is subtracted.
struct QuantisedRows {
    const uint8_t* start;
    int64_t stride;
    const float* scales;
    const int32_t* zeros;
};

// What is infinite or no number shows in the scale, which is no number then.
inline void quantise(
    const Number* row, int inputs, const float* smoothing, uint8_t* to, float& scale,
    int32_t& zero) {
    Floats low = all(0.0f), high = all(0.0f), infinite = all(0.0f);
    for (int at = 0; at < inputs; at += LANES) {
        const Floats given = load_some_numbers(row + at, std::min(LANES, inputs - at));
        const Floats x = multiply(given, load(smoothing + at));
        low = smaller(x, low);
        high = larger(x, high);
        infinite = multiply_add(x, all(0.0f), infinite);
    }
    const float below = largest(subtract(all(0.0f), low));
    const float step = below / LEVELS + largest(high) / LEVELS;
    const float inverse = step >= FLATTEST ? 1.0f / step : 0.0f;
    const Cells shift = whole(multiply(all(below), all(inverse)));
    for (int at = 0; at < inputs; at += LANES) {
        const Floats given = load_some_numbers(row + at, std::min(LANES, inputs - at));
        const Floats x = multiply(given, load(smoothing + at));
        store_bytes(to + at, add_cells(whole(multiply(x, all(inverse))), shift));
    }
    scale = (step >= FLATTEST ? step : 0.0f) + total_of(infinite);
    zero = first_of(shift);
}

struct QuantisedWeights : Panels {
    const float* scales;     // of outputs, in whole panels
    const int32_t* totals;   // of the weights of an output, in whole panels
    const float* smoothing;  // of inputs, in whole registers

    char hold() const { return 0; }
    int64_t width() const { return up(inputs, 64); }  // of a row in bytes
    size_t room() const { return BLOCK * (width() + sizeof(float) + sizeof(int32_t)); }

    QuantisedRows ready(Rows x, int64_t rows, char* room) const {
        float* scale = reinterpret_cast<float*>(room);
        int32_t* zero = reinterpret_cast<int32_t*>(scale + BLOCK);
        uint8_t* to = reinterpret_cast<uint8_t*>(zero + BLOCK);
        for (int64_t row = 0; row < rows; ++row) {
            quantise(x[row], inputs, smoothing, to + row * width(), scale[row], zero[row]);
        }
        return {to, width(), scale, zero};
    }

    template <int R>
    void multiply(
        const QuantisedRows& x, int64_t first, int panel, Ahead ahead, Tile& tile) const {
        Cells sums[R][WIDE];
        for (int r = 0; r < R; ++r) {
            const Cells less = all_cells(-x.zeros[first + r]);
            for (int n = 0; n < WIDE; ++n) {
                sums[r][n] = multiply_cells(less, load_cells(totals + panel * PANEL + n * LANES));
            }
        }
        walk(at(panel), cells, x.start + first * x.stride, x.stride, CELL, ahead, sums, dot_bytes);
        for (int r = 0; r < R; ++r) {
            const Floats scale = all(x.scales[first + r]);
            for (int n = 0; n < WIDE; ++n) {
                const int output = panel * PANEL + n * LANES;
                const Floats by = ::multiply(scale, load(scales + output));
                const Floats y = multiply_add(converted(sums[r][n]), by, load(bias + output));
                store(tile.sums[r] + n * LANES, y);
            }
        }
    }
};

using Layer = std::variant<Weights, QuantisedWeights>;

#else

using Layer = std::variant<Weights>;

#endif

constexpr int PARTS = 5;  // pointers of a layer

// A layer of its weights and its bias, laid out as products.h says, and, of quantised ones, the
// scales and totals of outputs and the smoothing of inputs; of others these are null.
inline Layer layer_of(const void* const* parts, int inputs, int outputs) {
    const auto numbers = [&](int at) { return static_cast<const float*>(parts[at]); };
    const char* start = static_cast<const char*>(parts[0]);
#ifdef STELAE_INT8
    if (parts[2] != nullptr) {
        const int cells = static_cast<int>(up(inputs, CELL) / CELL);
        return QuantisedWeights{
            {start, numbers(1), inputs, outputs, cells}, numbers(2),
            static_cast<const int32_t*>(parts[3]), numbers(4)};
    }
#endif
    return Weights{{start, numbers(1), inputs, outputs, inputs / PER_CELL}};
}

inline size_t room_of(const Layer& layer) {
    return std::visit([](const auto& w) { return w.room(); }, layer);
}

}  // namespace
