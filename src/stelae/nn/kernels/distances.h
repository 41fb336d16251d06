// What is done to scores beyond scaling them: a cap, and what is added by distance.
//
// What is added to scores by distance alone is laid out once for a head as one row: what a query
// adds to the scores of all keys are neighbours in it, from one place earlier for the next query.
// So are the products of a query with what belongs to each distance, of which only those are
// computed that a tile of scores needs. Products of a key with what belongs to distances are
// neighbours for all queries: they are computed for some queries ahead, and transposed.

#pragma once

#include "functions.h"
#include "registers.h"
#include "scores.h"
#include "scratch.h"

#include <algorithm>
#include <cstdint>

namespace {

constexpr int64_t AHEAD = 16 * ROWS;  // queries for which products of keys are computed at once

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

    bool any() const { return middle || keys || queries; }
    Distances from(int64_t head, int width) const {
        Distances d = *this;
        if (middle != nullptr) d.middle += head * stride;
        if (keys != nullptr) d.keys += head * rows * width;
        if (queries != nullptr) d.queries += head * rows * width;
        return d;
    }
};

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

thread_local Scratch change_scratch;

// Scores that are more than scaled, of one sequence and the heads of queries that keys `k` serve.
class Changed {
public:
    Changed(const Shape& s, const Distances& all, const Number* k, int64_t length, int64_t seen)
        : s(s), all(all), k(k), length(length), seen(seen) {}

    // Memory for one head; false if there is none.
    bool lay() {
        const int64_t rows = up(seen, LANES);
        // Whole registers are read from wherever the first key of a tile is.
        const int64_t distances = all.middle ? up(length + rows + LANES, LANES) : 0;
        const int64_t queries = all.keys ? ROWS * ACROSS : 0;
        const int64_t keys = all.queries ? AHEAD * rows : 0;
        const int64_t transposed = all.queries ? LANES * ACROSS : 0;
        const int64_t total = distances + queries + keys + transposed;
        if (!change_scratch.grow(total * sizeof(float))) return false;
        float* start = reinterpret_cast<float*>(change_scratch.start());
        by_distance = all.middle ? start : nullptr;
        by_query = all.keys ? start + distances : nullptr;
        by_key = all.queries ? start + distances + queries : nullptr;
        products = start + distances + queries + keys;
        return true;
    }

    void begin(int head) {
        by = all.from(head, s.width);
        if (by_distance) lay_out_distances(by.middle, length, seen, by_distance);
    }

    // Prepares queries from one on; returns before which it is.
    int64_t ready(int64_t first_query) {
        if (by_key == nullptr) return length;
        from = first_query;
        const int64_t to = std::min(length, from + AHEAD);
        multiply_all_keys(k, seen, from, to, s, by, products, by_key);
        return to;
    }

    // Prepares a tile of queries from `row` on and `there` keys from `first` on.
    template <class By>
    void prepare(const By&, const Number* q, int64_t row, int64_t first, int there) {
        constexpr int R = By::rows;
        tile_row = row, tile_key = first;
        if (by_query == nullptr) return;
        // The row of distances from the first of the queries to the first of the keys.
        place = by.zero + first - row;
        start = scores_of_rows<R>(q, s, by.keys, place - R + 1, place + there - 1, by_query);
    }

    // Changes scores of a query of the tile; returns what they are then to be scaled by.
    float apply(float* scores, int r, int count) const {
        float scale = s.scale;
        if (s.cap > 0.0f) cap_scores(scores, count, s, scale);
        const int64_t away = tile_key - tile_row - r, query = tile_row + r - from;
        add_to_scores(scores, count, by_distance, length - 1 + away, scale);
        add_to_scores(scores, count, by_query, r * ACROSS + place - r - start, scale);
        add_to_scores(scores, count, by_key, query * up(seen, LANES) + tile_key, scale);
        return scale;
    }

private:
    const Shape& s;
    const Distances& all;  // of the first head
    const Number* k;
    int64_t length, seen;
    // What is added to scores; each null if nothing is.
    float* by_distance = nullptr;  // from the last query and the first key on
    float* by_query = nullptr;     // ROWS x ACROSS
    float* by_key = nullptr;       // for each of AHEAD queries, all keys in whole LANES
    float* products = nullptr;     // LANES x ACROSS, from which the former are transposed
    Distances by;                  // of the head
    int64_t from = 0;              // the query that is first in by_key
    int64_t tile_row = 0, tile_key = 0, place = 0, start = 0;
};

}  // namespace
