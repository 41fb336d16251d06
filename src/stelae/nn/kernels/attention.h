// Softmax attention over packed sequences, in the numbers and for the processors of registers.h.
//
// One task is one sequence and one head of keys. It lays keys and values out once in cells,
// as the multiply instruction wants them, and then takes six queries at a time through
// scores, softmax and weighted sum, so that nothing larger than a tile of scores is held.
// Scores, softmax and sums are in float32; weights are rounded to the numbers of the values
// before the sum, as in the library's own kernel. What a sequence gets does not depend on its
// neighbours.
//
// What is added to scores by distance alone is laid out once for a head as one row: what a query
// adds to the scores of all keys are neighbours in it, from one place earlier for the next query.
// So are the products of a query with what belongs to each distance, of which only those are
// computed that a tile of scores needs. Products of a key with what belongs to distances are
// neighbours for all queries: they are computed for some queries ahead, and transposed.
//
// The numbers of a head lie far apart, in a place of each token, which processors do not foresee:
// while one head is read and written, those of the next are fetched.
//
// The online softmax over tiles of keys is that of Milakov and Gimelshein 2018
// (arXiv:1805.02867) and Dao et al. 2022 (arXiv:2205.14135).

#pragma once

#include "functions.h"
#include "registers.h"
#include "scratch.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace {

constexpr int ROWS = 6;        // queries at a time
constexpr int64_t TILE = 256;  // keys whose scores are held at a time
constexpr int64_t ACROSS = TILE + 2 * LANES;  // numbers from one row of scores to the next
constexpr int64_t AHEAD = 16 * ROWS;  // queries for which products of keys are computed at once

thread_local Scratch head_scratch;

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

// What is added to scores for each distance, from a query to a key behind it: numbers, and products
// of contents with rows (He et al. 2021, arXiv:2006.03654, equation 4).
struct Distances {
    const float* middle = nullptr;  // of the first head, that of distance 0; null if nothing is
    int64_t stride = 0;             // numbers from one head to the next
    // Laid out like keys; null if nothing is added. Queries are multiplied with the former, which
    // ascend with the distance, and keys with the latter, which descend.
    const Number *keys = nullptr, *queries = nullptr;
    int64_t rows = 0;  // of a head, in whole LANES
    int64_t zero = 0;  // which of them is that of distance 0

    Distances from(int64_t head, int width) const {
        Distances d = *this;
        if (middle != nullptr) d.middle += head * stride;
        if (keys != nullptr) d.keys += head * rows * width;
        if (queries != nullptr) d.queries += head * rows * width;
        return d;
    }
};

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

// Scores of R queries, from `first` on, and rows of distances: from one on that is returned, and
// that is the first of LANES, to the last.
template <int R>
[[gnu::noinline]] int64_t scores_of_rows(
    const Number* q, const Shape& s, const Number* rows, int64_t first, int64_t last, float* to) {
    const int64_t start = first / LANES * LANES;
    const int blocks = static_cast<int>((last - start) / LANES + 1);
    all_scores<R, WIDE>(q, s, rows + start * s.width, blocks, to);
    return start;
}

// Products of keys from `key` to `end`, at most LANES, with the rows of distances to queries from
// `from` to `to`: R at once, then as many as are left. `starts` tells where those of each key are.
template <int R>
void multiply_keys(
    const Number* k, int64_t key, int64_t end, int64_t from, int64_t to, const Shape& s,
    const Distances& by, float* products, const float** starts) {
    for (; key + R <= end; key += R) {
        const int64_t first = by.zero + from - (key + R - 1), last = by.zero + to - 1 - key;
        const int64_t start = scores_of_rows<R>(k, s, by.queries, first, last, products);
        for (int r = 0; r < R; ++r) {
            *starts++ = products + r * ACROSS + by.zero + from - key - r - start;
        }
        k += R * s.q_stride;
        products += R * ACROSS;
    }
    if constexpr (R > 1) multiply_keys<R - 1>(k, key, end, from, to, s, by, products, starts);
}

// Products of all keys with the rows of their distances to queries from `from` to `to`: a row for
// each query.
void multiply_all_keys(
    const Number* k, int64_t seen, int64_t from, int64_t to, const Shape& s, const Distances& by,
    float* products, float* out) {
    Shape turned = s;
    turned.q_stride = s.k_stride;
    for (int64_t key = 0; key < seen; key += LANES) {
        const float* starts[LANES];
        std::fill(starts, starts + LANES, products);
        multiply_keys<ROWS>(
            k + key * s.k_stride, key, std::min(seen, key + LANES), from, to, turned, by, products,
            starts);
        for (int64_t at = 0; at < to - from; at += LANES) {
            Cells rows[LANES];
            for (int i = 0; i < LANES; ++i) rows[i] = load_some(starts[i] + at, LANES);
            transpose(rows);
            float* to_row = out + at * up(seen, LANES) + key;
            for (int i = 0; i < LANES; ++i) store_cells(to_row + i * up(seen, LANES), rows[i]);
        }
    }
}

// What a head adds to scores by distance, from that of the last query to the first key on.
void lay_out_distances(const float* middle, int64_t length, int64_t seen, float* to) {
    std::copy(middle + 1 - length, middle + seen, to);
}

// Caps scores of one query, in whole registers; they are then scaled.
void cap_scores(float* row, int count, const Shape& s, float& scale) {
    const Floats by = all(s.scale / s.cap), cap = all(s.cap);
    for (int i = 0; i < count; i += LANES) {
        store(row + i, multiply(cap, hyperbolic_tangent(multiply(load(row + i), by))));
    }
    scale = 1.0f;
}

// Scales scores of one query and adds numbers from some place on, if there are any, in whole
// registers.
void add_to_scores(float* row, int count, const float* numbers, int64_t from, float& scale) {
    if (numbers == nullptr) return;
    const Floats by = all(scale), unit = all(LOG2_E);
    for (int i = 0; i < count; i += LANES) {
        const Floats some = as_floats(load_some(numbers + from + i, LANES));
        store(row + i, multiply_add(load(row + i), by, multiply(some, unit)));
    }
    scale = 1.0f;
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

// What the six rows at work need.
struct Bench {
    Number *keys, *values;  // as they are laid out
    float* scores;          // ROWS x ACROSS
    Number* weights;        // ROWS x TILE
    float* sums;            // ROWS x padded width
    // What is added to scores; each null if nothing is.
    float* by_distance;  // from the last query and the first key on
    float* by_query;     // ROWS x ACROSS
    float* by_key;       // for each of AHEAD queries, all keys in whole LANES
    float* products;     // LANES x ACROSS, from which the former are transposed
    int64_t length;      // of the sequence
    int64_t from;        // the query that is first in by_key
    Distances by;        // of the head
};

// Memory for one head; false if there is none.
bool lay(const Shape& s, int64_t length, int64_t seen, const Distances& by, Bench& bench) {
    size_t total = 0;
    const auto room = [&](bool wanted, int64_t count, size_t each) {
        const size_t at = total;
        if (wanted) total += up(count * each, 64);
        return at;
    };
    const int64_t rows = up(seen, LANES);
    const size_t keys = room(true, rows * s.width, sizeof(Number));
    const size_t values = room(true, rows * s.padded(), sizeof(Number));
    const size_t scores = room(true, ROWS * ACROSS, sizeof(float));
    const size_t weights = room(true, ROWS * TILE, sizeof(Number));
    const size_t sums = room(true, ROWS * s.padded(), sizeof(float));
    // Whole registers are read from wherever the first key of a tile is.
    const size_t by_distance = room(by.middle, length + rows + LANES, sizeof(float));
    const size_t by_query = room(by.keys, ROWS * ACROSS, sizeof(float));
    const size_t by_key = room(by.queries, AHEAD * rows, sizeof(float));
    const size_t products = room(by.queries, LANES * ACROSS, sizeof(float));
    if (!head_scratch.grow(total)) return false;
    char* start = head_scratch.start();
    const auto numbers = [start](size_t at) { return reinterpret_cast<Number*>(start + at); };
    const auto floats = [start](size_t at) { return reinterpret_cast<float*>(start + at); };
    bench = {numbers(keys), numbers(values), floats(scores), numbers(weights), floats(sums),
             by.middle ? floats(by_distance) : nullptr, by.keys ? floats(by_query) : nullptr,
             by.queries ? floats(by_key) : nullptr, floats(products), length, 0, by};
    return true;
}

// R queries from `row` on, through all keys that they see; CHANGED is whether their scores are more
// than scaled.
template <int R, bool CHANGED>
INLINE void attend_rows(
    const Number* q, int64_t row, int64_t seen, const Shape& s, const Bench& bench, Number* out) {
    const int padded = s.padded();
    float highest[R], total[R], fading[R];
    std::fill(highest, highest + R, -INFINITY);
    std::fill(total, total + R, 0.0f);
    std::fill(bench.sums, bench.sums + R * padded, 0.0f);
    const auto lowest = [&](int64_t at) {
        return s.before < 0 ? 0 : std::max<int64_t>(0, at - s.before);
    };
    const auto end = [&](int64_t at) {
        return s.after < 0 ? seen : std::min(seen, at + s.after + 1);
    };
    const int64_t most = end(row + R - 1);
    for (int64_t first = lowest(row) / LANES * LANES; first < most; first += TILE) {
        const int there = static_cast<int>(std::min(TILE, most - first));
        const int blocks = (there + LANES - 1) / LANES;
        all_scores<R, WIDE>(q, s, bench.keys + first * s.width, blocks, bench.scores);
        // The row of distances from the first of the queries to the first of the keys.
        const int64_t place = bench.by.zero + first - row;
        const int64_t start = !CHANGED || bench.by_query == nullptr ? 0 : scores_of_rows<R>(
            q, s, bench.by.keys, place - R + 1, place + there - 1, bench.by_query);
        for (int r = 0; r < R; ++r) {
            const int64_t hidden = std::max<int64_t>(0, lowest(row + r) - first);
            const int64_t sees = std::min<int64_t>(there, end(row + r) - first);
            Number* weights = bench.weights + r * TILE;
            float* tile = bench.scores + r * ACROSS;
            if (sees <= hidden) {  // a tile that only others of the six see
                std::fill(weights, weights + blocks * LANES, Number{});
                fading[r] = 1.0f;
                continue;
            }
            const int count = static_cast<int>(sees);
            float scale = s.scale;
            if constexpr (CHANGED) {
                if (s.cap > 0.0f) cap_scores(tile, count, s, scale);
                const int64_t away = first - row - r, query = row + r - bench.from;
                add_to_scores(tile, count, bench.by_distance, bench.length - 1 + away, scale);
                add_to_scores(tile, count, bench.by_query, r * ACROSS + place - r - start, scale);
                add_to_scores(tile, count, bench.by_key, query * up(seen, LANES) + first, scale);
            }
            fading[r] = weigh(
                tile, static_cast<int>(hidden), count, scale, highest[r], total[r], weights);
            std::fill(weights + up(sees, LANES), weights + blocks * LANES, Number{});
        }
        all_sums<R, WIDE>(
            bench.weights, bench.values + first * padded, (there + PER_CELL - 1) / PER_CELL, s, fading,
            padded / LANES, bench.sums);
    }
    for (int r = 0; r < R; ++r) {
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
template <int R, bool CHANGED>
void attend_all(
    const Number* q, int64_t row, int64_t length, int64_t seen, const Shape& s, const Bench& bench,
    Number* out) {
    for (; row + R <= length; row += R) {
        const int64_t at = row - s.first;
        attend_rows<R, CHANGED>(
            q + at * s.q_stride, row, seen, s, bench, out + at * s.out_stride);
    }
    if constexpr (R > 1) attend_all<R - 1, CHANGED>(q, row, length, seen, s, bench, out);
}

// One sequence, one head of keys, and the heads of queries that it serves; `q` and `out` begin
// with the first query.
bool attend_head(
    const Number* q, const Number* k, const Number* v, Number* out, int64_t length, int64_t seen,
    int served, const Shape& s, const Distances& by = {}) {
    Bench bench;
    if (!lay(s, length, seen, by, bench)) return false;
    lay_out_keys(k, s, seen, bench.keys);
    lay_out_values(v, s, seen, bench.values);
    const bool changed = s.cap > 0.0f || by.middle || by.keys || by.queries;
    const auto attend = changed ? attend_all<ROWS, true> : attend_all<ROWS, false>;
    for (int head = 0; head < served; ++head) {
        bench.by = by.from(head, s.width);
        if (bench.by_distance) lay_out_distances(bench.by.middle, length, seen, bench.by_distance);
        const int64_t step = bench.by_key ? AHEAD : length;
        for (bench.from = s.first; bench.from < length; bench.from += step) {
            const int64_t to = std::min(length, bench.from + step);
            if (bench.by_key) {
                multiply_all_keys(
                    k, seen, bench.from, to, s, bench.by, bench.products, bench.by_key);
            }
            attend(q + head * s.width, bench.from, to, seen, s, bench, out + head * s.width);
        }
    }
    return true;
}

}  // namespace
