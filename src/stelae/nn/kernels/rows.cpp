// What is before the blocks and behind them: rows of tables that are added up and normalised, and
// token vectors that are averaged. Sums are float32.

#include "parts.h"
#include "registers.h"
#include "scratch.h"

#include <algorithm>
#include <cstdint>

namespace {

constexpr int64_t FEW = 256;  // rows that are not worth another thread

thread_local Scratch scratch;

// A row of each of some tables; all tokens have the first one of a table without places.
struct Tables {
    const Number* const* starts;
    const int64_t* sizes;  // rows of each
    const int64_t* const* places;
    int count;
    int64_t width;

    int64_t place(int table, int64_t token) const {
        return places[table] == nullptr ? 0 : places[table][token];
    }
    const Number* row(int table, int64_t token) const {
        return starts[table] + place(table, token) * width;
    }
    bool have(int64_t token) const {
        for (int table = 0; table < count; ++table) {
            if (place(table, token) < 0 || place(table, token) >= sizes[table]) return false;
        }
        return true;
    }
    void add_up(int64_t token, float* sum) const {
        for (int64_t at = 0; at < width; at += LANES) {
            Floats here = load_some_numbers(row(0, token) + at, LANES);
            for (int table = 1; table < count; ++table) {
                here = add(here, load_some_numbers(row(table, token) + at, LANES));
            }
            store(sum + at, here);
        }
    }
};

}  // namespace

// Sums of rows, of whole registers each, normalised, for so many tokens. Returns 0, 1 if memory ran
// out, or 2 if a place is outside its table.
extern "C" int stelae_embed(
    Number* to, int64_t tokens, int64_t width, const Number* const* tables,
    const int64_t* sizes, const int64_t* const* places, int count, const float* scale, const float* shift, float eps,
    int threads) {
    const Tables all{tables, sizes, places, count, width};
    const Norm norm{scale, shift};
    int failed = 0;
#pragma omp parallel num_threads(threads) if (threads > 1 && tokens > FEW)
    {
        const bool room = scratch.grow(width * sizeof(float));
        if (!room) {
#pragma omp atomic write
            failed = 1;
        }
        float* sum = reinterpret_cast<float*>(scratch.start());
#pragma omp for
        for (int64_t token = 0; token < tokens; ++token) {
            if (!room) continue;
            if (!all.have(token)) {
#pragma omp atomic write
                failed = 2;
                continue;
            }
            all.add_up(token, sum);
            normalise(sum, width, norm, eps, [&](int64_t at, Floats y) {
                store_some_numbers(to + token * width + at, LANES, y);
            });
        }
    }
    return failed;
}

// Means of the rows of sequences, without the first ones that are skipped if `skips` is not null;
// zeros where none is left. Returns 0.
extern "C" int stelae_means(
    float* to, const Number* rows, int64_t width, const int64_t* starts, const int64_t* lengths,
    const int64_t* skips, int64_t count, int threads) {
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1 && count > FEW / 16)
    for (int64_t i = 0; i < count; ++i) {
        float* sum = to + i * width;
        std::fill(sum, sum + width, 0.0f);
        const int64_t from = skips == nullptr ? 0 : skips[i], kept = lengths[i] - from;
        for (int64_t row = starts[i] + from; row < starts[i] + lengths[i]; ++row) {
            for (int64_t at = 0; at < width; at += LANES) {
                store(sum + at, add(load(sum + at), load_some_numbers(rows + row * width + at, LANES)));
            }
        }
        if (kept <= 0) continue;
        const Floats by = all(static_cast<float>(kept));
        for (int64_t at = 0; at < width; at += LANES) store(sum + at, divide(load(sum + at), by));
    }
    return 0;
}
