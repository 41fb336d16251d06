// What a processor does with tiles, as its manual defines it (Intel 64 and IA-32 Architectures
// Software Developer's Manual, volumes 1 and 2: AMX, TILELOADD, TILESTORED, TDPBF16PS), for processors
// that have none. Included in front of a kernel, in place of the instructions.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace modelled {
namespace {

constexpr int TILES = 8, MOST_ROWS = 16, MOST_CELLS = 16;

// As the instruction reads it.
struct ModelSizes {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
};

struct ModelTiles {
    bool held = false;
    ModelSizes sizes;
    uint8_t numbers[TILES][MOST_ROWS][4 * MOST_CELLS];
};
thread_local ModelTiles model;

inline float denormal_as_zero(float x) { return std::fabs(x) < 1.17549435e-38f ? 0.0f * x : x; }
inline float model_number(const uint8_t* from) {
    uint16_t half;
    std::memcpy(&half, from, sizeof half);
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return denormal_as_zero(x);
}

// What a processor refuses ends the program, and so do tiles that are taken twice.
inline void demand(bool right) {
    if (!right) std::abort();
}

inline void take_tiles(const void* from) {
    demand(!model.held);
    ModelSizes& sizes = model.sizes;
    std::memcpy(&sizes, from, sizeof sizes);
    bool valid = sizes.palette == 1 && sizes.start == 0;
    for (const uint8_t byte : sizes.reserved) valid &= byte == 0;
    for (int i = 0; i < 16; ++i) {
        const bool there = i < TILES;
        valid &= sizes.rows[i] <= (there ? MOST_ROWS : 0);
        valid &= sizes.bytes[i] <= (there ? 4 * MOST_CELLS : 0);
        valid &= (sizes.rows[i] == 0) == (sizes.bytes[i] == 0);
    }
    demand(valid);
    model.held = true;
    std::memset(model.numbers, 0, sizeof model.numbers);
}
inline void give_tiles_back() { model.held = false; }

inline void zero_numbers(int tile) {
    demand(model.held && model.sizes.rows[tile] > 0);
    std::memset(model.numbers[tile], 0, sizeof model.numbers[tile]);
}

inline void load_numbers(int tile, const void* from, int64_t stride) {
    zero_numbers(tile);
    for (int row = 0; row < model.sizes.rows[tile]; ++row) {
        std::memcpy(model.numbers[tile][row], static_cast<const char*>(from) + row * stride,
                    model.sizes.bytes[tile]);
    }
}

inline void store_numbers(int tile, void* to, int64_t stride) {
    demand(model.held && model.sizes.rows[tile] > 0);
    for (int row = 0; row < model.sizes.rows[tile]; ++row) {
        std::memcpy(static_cast<char*>(to) + row * stride, model.numbers[tile][row],
                    model.sizes.bytes[tile]);
    }
}

// The products of sixteen cells of a row with all columns are added up, the first numbers of the
// cells and the second apart.
inline void add_products(int row, int sum, int a, const float (*weights)[2][MOST_CELLS]) {
    float both[2][MOST_CELLS] = {};
    for (int cell = 0; cell < model.sizes.bytes[a] / 4; ++cell) {
        for (int i : {0, 1}) {
            const float x = model_number(model.numbers[a][row] + 4 * cell + 2 * i);
            for (int n = 0; n < MOST_CELLS; ++n) {
                both[i][n] = denormal_as_zero(std::fma(x, weights[cell][i][n], both[i][n]));
            }
        }
    }
    float sums[MOST_CELLS];
    std::memcpy(sums, model.numbers[sum][row], sizeof sums);
    for (int n = 0; n < model.sizes.bytes[sum] / 4; ++n) {
        const float more = denormal_as_zero(both[0][n] + both[1][n]);
        sums[n] = denormal_as_zero(denormal_as_zero(sums[n]) + more);
    }
    std::memcpy(model.numbers[sum][row], sums, model.sizes.bytes[sum]);
}

inline void multiply_numbers(int sum, int a, int b) {
    const ModelSizes& sizes = model.sizes;
    const int cells = sizes.bytes[a] / 4;
    demand(model.held && sizes.rows[sum] > 0 && cells > 0);
    demand(sum != a && sum != b && a != b);
    demand(sizes.rows[sum] == sizes.rows[a] && sizes.rows[b] == cells);
    demand(sizes.bytes[b] == sizes.bytes[sum]);
    float weights[MOST_CELLS][2][MOST_CELLS] = {};
    for (int cell = 0; cell < cells; ++cell) {
        for (int n = 0; n < MOST_CELLS; ++n) {
            for (int i : {0, 1}) {
                weights[cell][i][n] = model_number(model.numbers[b][cell] + 4 * n + 2 * i);
            }
        }
    }
    for (int row = 0; row < sizes.rows[sum]; ++row) add_products(row, sum, a, weights);
}

// As kernels call them.
template <int T>
inline void load_tile(const void* from, int64_t stride) {
    load_numbers(T, from, stride);
}
template <int T>
inline void store_tile(void* to, int64_t stride) {
    store_numbers(T, to, stride);
}
template <int T>
inline void zero_tile() {
    zero_numbers(T);
}
template <int SUM, int A, int B>
inline void multiply_tiles() {
    multiply_numbers(SUM, A, B);
}

}  // namespace
}  // namespace modelled

using modelled::give_tiles_back;
using modelled::load_tile;
using modelled::multiply_tiles;
using modelled::store_tile;
using modelled::take_tiles;
using modelled::zero_tile;
