// Softmax attention over packed sequences, in the numbers and for the processors of registers.h.
//
// One task is one sequence and one head of keys. It lays keys and values out once in cells,
// as the multiply instruction wants them, and then takes six queries at a time through
// scores, softmax and weighted sum, so that nothing larger than a tile of scores is held.
// Scores, softmax and sums are in float32; weights are rounded to the numbers of the values
// before the sum, as in the library's own kernel. What a sequence gets does not depend on its
// neighbours.
//
// The numbers of a head lie far apart, in a place of each token, which processors do not foresee:
// while one head is read and written, those of the next are fetched.
//
// The online softmax over tiles of keys is that of Milakov and Gimelshein 2018
// (arXiv:1805.02867) and Dao et al. 2022 (arXiv:2205.14135).

#pragma once

#ifdef STELAE_TILES
#include "attention_tiles.h"
#endif
#include "distances.h"
#include "functions.h"
#include "registers.h"
#include "scores.h"
#include "scratch.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace {

thread_local Scratch head_scratch;

// Keys of one head: per LANES keys, per cell, the cells of all of them side by side.
void lay_out_keys(const Number* k, const Shape& s, int64_t seen, Number* to) {
    const int cells = s.cells();
    for (int64_t key = 0; key < seen; key += LANES) {
        const int count = static_cast<int>(std::min<int64_t>(LANES, seen - key));
        for (int cell = 0; cell < cells; cell += LANES) {
            const int there = std::min(LANES, cells - cell);
            Cells rows[LANES];
            for (int i = 0; i < count; ++i) {
                const Number* from = k + (key + i) * s.k_stride + PER_CELL * cell;
                rows[i] = load_some(from, there);
                fetch(from + s.ahead);
            }
            for (int i = count; i < LANES; ++i) rows[i] = all_cells(0);
            transpose(rows);
            for (int i = 0; i < there; ++i) {
                store_cells(to + (key * cells + (cell + i) * LANES) * PER_CELL, rows[i]);
            }
        }
    }
}

// Values of one head: per PER_CELL tokens, cells of the numbers of all of them, zeros behind.
void lay_out_values(const Number* v, const Shape& s, int64_t seen, Number* to) {
    const int padded = s.padded();
    for (int64_t token = 0; token < seen; token += PER_CELL) {
        for (int at = 0; at < padded; at += LANES) {
            const Number* from = v + token * s.v_stride + at;
            const int count = std::min(LANES, s.width - at);
            store_cells(
                to + token * padded + PER_CELL * at,
                interleave(from, s.v_stride, seen - token, count));
            for (int i = 0; i < PER_CELL; ++i) fetch(from + i * s.v_stride + s.ahead);
        }
    }
}

// Scores of one query become weights, zero but from `hidden` to `seen`, in whole registers;
// returns what the sums so far are to be multiplied by.
float weigh(
    const float* row, int hidden, int seen, float scale, float& highest, float& total,
    Number* weights) {
    const auto score = [&](int i) {
        const Floats some = load(row + i);
        return hidden <= i && i + LANES <= seen ? some : within(some, hidden - i, seen - i);
    };
    Floats most = all(-INFINITY);
    for (int i = 0; i < seen; i += LANES) most = larger(most, score(i));
    const float now = std::max(highest, largest(most) * scale);
    const float fading = highest == -INFINITY ? 0.0f : std::exp2(highest - now);
    const Floats by = all(scale), less = all(-now);
    Floats sum = all(0.0f);
    for (int i = 0; i < seen; i += LANES) {
        const Floats e = power_of_two(multiply_add(score(i), by, less));
        sum = add(sum, e);
        store_numbers(weights + i, e);
    }
    total = total * fading + total_of(sum);
    highest = now;
    return fading;
}

// Adds the weighted values of so many cells of tokens to the sums of R queries, LANES N numbers
// each.
template <int R, int N>
INLINE void sum_up(
    const Number* weights, const Number* values, int cells, const Shape& s, const float* fading,
    float* to) {
    const int padded = s.padded();
    Floats sums[R][N];
    for (int r = 0; r < R; ++r) {
        const Floats fade = all(fading[r]);
        for (int n = 0; n < N; ++n) sums[r][n] = multiply(load(to + r * padded + n * LANES), fade);
    }
    for (int cell = 0; cell < cells; ++cell) {
        Cells block[N];
        for (int n = 0; n < N; ++n) {
            block[n] = load_cells(
                values + PER_CELL * (static_cast<int64_t>(cell) * padded + n * LANES));
        }
        for (int r = 0; r < R; ++r) {
            const Cells weight = cell_at(weights + r * TILE + PER_CELL * cell);
            for (int n = 0; n < N; ++n) sums[r][n] = dot(sums[r][n], weight, block[n]);
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int n = 0; n < N; ++n) store(to + r * padded + n * LANES, sums[r][n]);
    }
}

// Sums of `left` registers of outputs: N such at once, then as many as are left.
template <int R, int N>
INLINE void all_sums(
    const Number* weights, const Number* values, int cells, const Shape& s, const float* fading,
    int left, float* to) {
    for (; left >= N; left -= N) {
        sum_up<R, N>(weights, values, cells, s, fading, to);
        values += PER_CELL * N * LANES;
        to += N * LANES;
    }
    if constexpr (N > 1) all_sums<R, N - 1>(weights, values, cells, s, fading, left, to);
}

// R queries at a time, with their sums in registers.
template <int R>
struct InRegisters {
    static constexpr int rows = R;

    INLINE void scores(
        const Number* q, const Shape& s, const Number* keys, int blocks, float* to) const {
        all_scores<R, WIDE>(q, s, keys, blocks, to);
    }
    INLINE void sums(
        const Number* weights, const Number* values, int tokens, const Shape& s,
        const float* fading, float* to) const {
        const int cells = (tokens + PER_CELL - 1) / PER_CELL;
        all_sums<R, WIDE>(weights, values, cells, s, fading, s.padded() / LANES, to);
    }
};

// Scores that are scaled and no more; see Changed. That they are another type keeps the loops of most
// models as short as they can be.
struct Scaled {
    float scale;
    int64_t length;  // of the sequence

    bool lay() const { return true; }
    void begin(int) const {}
    int64_t ready(int64_t) const { return length; }
    template <class By>
    void prepare(const By&, const Number*, int64_t, int64_t, int) const {}
    float apply(const float*, int, int) const { return scale; }
};

// What the rows at work need.
struct Bench {
    Number *keys, *values;  // as they are laid out
    float* scores;          // MOST_ROWS x ACROSS
    Number* weights;        // MOST_ROWS x TILE
    float* sums;            // MOST_ROWS x padded width
    Number* queries;        // MOST_ROWS x width
};

// Memory for one head; false if there is none.
bool lay(const Shape& s, int64_t seen, Bench& bench) {
    const auto bytes = [](int64_t count, size_t each) { return up(count * each, 64); };
    const int64_t rows = laid_out(seen);
    const size_t of_keys = bytes(rows * s.width, sizeof(Number));
    const size_t of_values = bytes(rows * s.padded(), sizeof(Number));
    const size_t of_scores = bytes(MOST_ROWS * ACROSS, sizeof(float));
    const size_t of_weights = bytes(MOST_ROWS * TILE, sizeof(Number));
    const size_t of_sums = bytes(MOST_ROWS * s.padded(), sizeof(float));
    const size_t of_queries = bytes(MOST_ROWS * s.width, sizeof(Number));
    const size_t of_all = of_keys + of_values + of_scores + of_weights + of_sums + of_queries;
    if (!head_scratch.grow(of_all)) return false;
    char* at = head_scratch.start();
    bench.keys = reinterpret_cast<Number*>(at);
    bench.values = reinterpret_cast<Number*>(at += of_keys);
    bench.scores = reinterpret_cast<float*>(at += of_values);
    bench.weights = reinterpret_cast<Number*>(at += of_scores);
    bench.sums = reinterpret_cast<float*>(at += of_weights);
    bench.queries = reinterpret_cast<Number*>(at += of_sums);
    return true;
}

// Some queries from `row` on, through all keys that they see.
template <class By, class Change>
INLINE void attend_rows(
    const By& by, const Number* q, int64_t row, int64_t seen, const Shape& s, const Bench& bench,
    Change& change, Number* out) {
    const int padded = s.padded();
    float highest[MOST_ROWS], total[MOST_ROWS], fading[MOST_ROWS];
    std::fill(highest, highest + by.rows, -INFINITY);
    std::fill(total, total + by.rows, 0.0f);
    std::fill(bench.sums, bench.sums + by.rows * padded, 0.0f);
    const auto lowest = [&](int64_t at) {
        return s.before < 0 ? 0 : std::max<int64_t>(0, at - s.before);
    };
    const auto end = [&](int64_t at) {
        return s.after < 0 ? seen : std::min(seen, at + s.after + 1);
    };
    const int64_t most = end(row + by.rows - 1);
    for (int64_t first = lowest(row) / LANES * LANES; first < most; first += TILE) {
        const int there = static_cast<int>(std::min(TILE, most - first));
        const int blocks = (there + LANES - 1) / LANES;
        by.scores(q, s, bench.keys + first * s.width, blocks, bench.scores);
        change.prepare(by, q, row, first, there);
        for (int r = 0; r < by.rows; ++r) {
            const int64_t hidden = std::max<int64_t>(0, lowest(row + r) - first);
            const int64_t sees = std::min<int64_t>(there, end(row + r) - first);
            Number* weights = bench.weights + r * TILE;
            float* tile = bench.scores + r * ACROSS;
            if (sees <= hidden) {  // a tile that only others of the rows see
                std::fill(weights, weights + up(there, TOKENS), Number{});
                fading[r] = 1.0f;
                continue;
            }
            const int count = static_cast<int>(sees);
            const float scale = change.apply(tile, r, count);
            fading[r] = weigh(
                tile, static_cast<int>(hidden), count, scale, highest[r], total[r], weights);
            std::fill(weights + up(sees, LANES), weights + up(there, TOKENS), Number{});
        }
        by.sums(bench.weights, bench.values + first * padded, there, s, fading, bench.sums);
    }
    for (int r = 0; r < by.rows; ++r) {
        const Floats share = all(total[r] == 0.0f ? 0.0f : 1.0f / total[r]);
        for (int at = 0; at < s.width; at += LANES) {
            fetch(q + r * s.q_stride + s.ahead + at);
            fetch(out + r * s.out_stride + s.ahead + at);
            store_some_numbers(
                out + r * s.out_stride + at, std::min(LANES, s.width - at),
                multiply(load(bench.sums + r * padded + at), share));
        }
    }
}

// The rows of one head from `row` to `length`: R at once, then as many as are left.
template <int R, class Change>
void attend_all(
    const Number* q, int64_t row, int64_t length, int64_t seen, const Shape& s, const Bench& bench,
    Change& change, Number* out) {
    for (; row + R <= length; row += R) {
        const int64_t at = row - s.first;
        attend_rows(
            InRegisters<R>(), q + at * s.q_stride, row, seen, s, bench, change,
            out + at * s.out_stride);
    }
    if constexpr (R > 1) attend_all<R - 1>(q, row, length, seen, s, bench, change, out);
}

#ifdef STELAE_TILES

// All rows of one head by tiles, whose scores are only scaled.
void attend_in_tiles(
    const Number* q, int64_t length, int64_t seen, const Shape& s, const Bench& bench,
    Scaled scaled, Number* out) {
    const HeldTiles held(sizes_for(s.cells()));
    const int64_t padded = s.padded(), filled = up(seen, PER_CELL) * padded;
    std::fill(bench.values + filled, bench.values + laid_out(seen) * padded, Number{});
    for (int64_t row = s.first; row < length; row += TILE_ROWS) {
        const InTiles by{static_cast<int>(std::min<int64_t>(TILE_ROWS, length - row))};
        const Number* queries = q + (row - s.first) * s.q_stride;
        Shape shape = s;
        if (by.rows < TILE_ROWS) {
            for (int r = 0; r < by.rows; ++r) {
                const Number* from = queries + r * s.q_stride;
                std::copy(from, from + s.width, bench.queries + r * s.width);
            }
            queries = bench.queries;
            shape.q_stride = s.width;
        }
        attend_rows(
            by, queries, row, seen, shape, bench, scaled, out + (row - s.first) * s.out_stride);
    }
}

#endif

// One sequence, one head of keys, and the heads of queries that it serves; `q` and `out` begin
// with the first query.
template <class Change>
bool attend_head(
    const Number* q, const Number* k, const Number* v, Number* out, int64_t length, int64_t seen,
    int served, const Shape& s, Change change) {
    Bench bench;
    if (!lay(s, seen, bench) || !change.lay()) return false;
    lay_out_keys(k, s, seen, bench.keys);
    lay_out_values(v, s, seen, bench.values);
    for (int head = 0; head < served; ++head) {
#ifdef STELAE_TILES
        if constexpr (std::is_same_v<Change, Scaled>) {
            if (length - s.first >= FEWEST) {
                attend_in_tiles(
                    q + head * s.width, length, seen, s, bench, change, out + head * s.width);
                continue;
            }
        }
#endif
        change.begin(head);
        for (int64_t from = s.first, to; from < length; from = to) {
            to = change.ready(from);
            attend_all<ROWS>(
                q + head * s.width, from, to, seen, s, bench, change, out + head * s.width);
        }
    }
    return true;
}

bool attend_head(
    const Number* q, const Number* k, const Number* v, Number* out, int64_t length, int64_t seen,
    int served, const Shape& s, const Distances& by = {}) {
    if (s.cap > 0.0f || by.any()) {
        return attend_head(q, k, v, out, length, seen, served, s, Changed(s, by, k, length, seen));
    }
    return attend_head(q, k, v, out, length, seen, served, s, Scaled{s.scale, length});
}

}  // namespace
