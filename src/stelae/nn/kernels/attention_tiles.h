// Queries, keys and values by tiles of a processor that has them: sixteen queries at a time.
//
// Keys and values lie in cells as for registers, which is as tiles want them. Queries that are
// fewer than sixteen are copied to where sixteen are, so that nothing is read behind them.

#pragma once

#include "scores.h"
#include "tiles.h"

#include <cstdint>
#include <cstring>

namespace {

constexpr int64_t FEWEST = 32;  // queries for which tiles are worth their beginning

// Scores of sixteen queries and LANES N keys.
template <int N>
INLINE void scores_in_tiles(const Number* q, const Shape& s, const Number* keys, float* to) {
    const int64_t across = s.q_stride * sizeof(Number);
    each_of<N>([](auto n) INLINED { zero_tile<SUMS + n>(); });
    each_of_cells(s.cells(), [&](auto a, auto b, int cell) INLINED {
        load_tile<a>(q + PER_CELL * cell, across);
        each_of<N>([&](auto n) INLINED {
            const Number* from = keys + (n * s.cells() + cell) * PER_CELL * LANES;
            load_tile<b>(from, LANES * PER_CELL * sizeof(Number));
            multiply_tiles<SUMS + n, a, b>();
        });
    });
    each_of<N>([&](auto n) INLINED {
        store_tile<SUMS + n>(to + n * LANES, ACROSS * sizeof(float));
    });
}

// Adds the weighted values of so many cells of tokens, which fill tiles, to the sums of sixteen
// queries, LANES N numbers each.
template <int N>
INLINE void sum_up_in_tiles(
    const Number* weights, const Number* values, int cells, int padded, float* to) {
    const int64_t across = padded * sizeof(float);
    each_of<N>([&](auto n) INLINED { load_tile<SUMS + n>(to + n * LANES, across); });
    for (int cell = 0; cell < cells; cell += TILE_CELLS) {
        load_tile<OF_ROWS>(weights + PER_CELL * cell, TILE * sizeof(Number));
        each_of<N>([&](auto n) INLINED {
            const Number* from = values + PER_CELL * (int64_t(cell) * padded + n * LANES);
            load_tile<OF_OTHERS>(from, PER_CELL * padded * sizeof(Number));
            multiply_tiles<SUMS + n, OF_ROWS, OF_OTHERS>();
        });
    }
    each_of<N>([&](auto n) INLINED { store_tile<SUMS + n>(to + n * LANES, across); });
}

// Calls `take` with a constant: the most registers at once that there are tiles of sums for, then
// as many as are left.
template <int N, class Take>
INLINE void in_fours(int left, const Take& take) {
    for (; left >= N; left -= N) take(Constant<N>());
    if constexpr (N > 1) in_fours<N - 1>(left, take);
}

// Up to sixteen queries at a time; see InRegisters.
struct InTiles {
    int rows;

    void scores(
        const Number* q, const Shape& s, const Number* keys, int blocks, float* to) const {
        in_fours<4>(blocks, [&](auto n) {
            scores_in_tiles<n>(q, s, keys, to);
            keys += int64_t(n) * LANES * s.width;
            to += n * LANES;
        });
    }
    void sums(
        const Number* weights, const Number* values, int tokens, const Shape& s,
        const float* fading, float* to) const {
        const int padded = s.padded(), cells = static_cast<int>(up(tokens, TOKENS)) / PER_CELL;
        for (int r = 0; r < rows; ++r) {
            const Floats fade = all(fading[r]);
            for (int at = 0; at < padded; at += LANES) {
                store(to + r * padded + at, multiply(load(to + r * padded + at), fade));
            }
        }
        in_fours<4>(padded / LANES, [&](auto n) {
            sum_up_in_tiles<n>(weights, values, cells, padded, to);
            values += PER_CELL * n * LANES;
            to += n * LANES;
        });
    }
};

}  // namespace
