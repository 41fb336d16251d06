// Products of queries and keys, from which scores are made.

#pragma once

#include "registers.h"
#include "scratch.h"

#include <cstdint>

namespace {

constexpr int ROWS = 6;        // queries at a time
#ifdef STELAE_TILES
constexpr int MOST_ROWS = 16;
#else
constexpr int MOST_ROWS = ROWS;
#endif
constexpr int64_t TILE = 256;  // keys whose scores are held at a time
constexpr int64_t ACROSS = TILE + 2 * LANES;  // numbers from one row of scores to the next
constexpr int64_t TOKENS = 2 * LANES;  // whose weights are multiplied with values at a time, at most

struct Shape {
    int64_t q_stride, k_stride, v_stride, out_stride;  // numbers from one token to the next
    int width;                                         // of a head, in whole cells
    float scale;                                       // times log2(e)
    int64_t before, after;                             // places that a token sees; all if < 0
    int64_t ahead;                                     // numbers to the head that is likely next
    float cap = 0.0f;                                  // of scores, times log2(e); none if 0
    int64_t first = 0;                                 // place of the first query in its sequence

    int cells() const { return width / PER_CELL; }
    int padded() const { return static_cast<int>(up(width, LANES)); }  // with zeros, in registers
};

// Tokens that there is room for: TOKENS at a time, from any that is the first of LANES on.
constexpr int64_t laid_out(int64_t seen) { return up(seen, LANES) + TOKENS - LANES; }

// Scores of R queries and LANES N keys: `to` has ACROSS numbers a row.
template <int R, int N>
INLINE void scores(const Number* q, const Shape& s, const Number* keys, float* to) {
    const int cells = s.cells();
    Floats sums[R][N];
    for (auto& row : sums) {
        for (auto& sum : row) sum = all(0.0f);
    }
    for (int cell = 0; cell < cells; ++cell) {
        Cells block[N];
        for (int n = 0; n < N; ++n) {
            block[n] = load_cells(keys + (n * cells + cell) * PER_CELL * LANES);
        }
        for (int r = 0; r < R; ++r) {
            const Cells query = cell_at(q + r * s.q_stride + PER_CELL * cell);
            for (int n = 0; n < N; ++n) sums[r][n] = dot(sums[r][n], query, block[n]);
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int n = 0; n < N; ++n) store(to + r * ACROSS + n * LANES, sums[r][n]);
    }
}

// Scores of `blocks` times LANES keys: N such at once, then as many as are left.
template <int R, int N>
INLINE void all_scores(const Number* q, const Shape& s, const Number* keys, int blocks, float* to) {
    for (; blocks >= N; blocks -= N) {
        scores<R, N>(q, s, keys, to);
        keys += static_cast<int64_t>(N) * LANES * s.width;
        to += N * LANES;
    }
    if constexpr (N > 1) all_scores<R, N - 1>(q, s, keys, blocks, to);
}

}  // namespace
