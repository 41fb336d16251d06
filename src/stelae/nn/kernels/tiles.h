// Tiles of AMX: sixteen rows of 64 bytes, and what multiplies them (Intel 64 and IA-32
// Architectures Software Developer's Manual, volume 1, chapter 18).
//
// A thread says how large its tiles are, uses them, and gives them back: as long as it has them,
// whoever takes the processor from it must keep eight kilobytes more. With STELAE_TILES_MODEL
// somebody else has said what these functions are: tests do, for processors that have no tiles.

#pragma once

#include "registers.h"

#include <cstdint>
#include <type_traits>

namespace {

constexpr int TILE_ROWS = 16;
constexpr int TILE_CELLS = 16;  // of 32 bits in a row

template <int N>
using Constant = std::integral_constant<int, N>;

// Calls `take` with the constants from 0 on, as only constants can be numbers of tiles.
template <int N, class Take>
INLINE void each_of(const Take& take) {
    if constexpr (N > 0) {
        each_of<N - 1>(take);
        take(Constant<N - 1>());
    }
}

// Sizes of all tiles, as the processor reads them.
struct alignas(64) TileSizes {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};

    void set(int tile, int of_rows, int cells) {
        rows[tile] = static_cast<uint8_t>(of_rows);
        bytes[tile] = static_cast<uint16_t>(4 * cells);
    }
};
static_assert(sizeof(TileSizes) == 64);

#ifndef STELAE_TILES_MODEL

inline void take_tiles(const void* sizes) {
    asm volatile("ldtilecfg (%0)" : : "r"(sizes) : "memory");
}
inline void give_tiles_back() { asm volatile("tilerelease" : : : "memory"); }

template <int T>
INLINE void load_tile(const void* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(T) : "memory");
}
template <int T>
INLINE void store_tile(void* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(T) : "memory");
}
template <int T>
INLINE void zero_tile() {
    asm volatile("tilezero %%tmm%c0" : : "i"(T));
}
// Adds the products of the numbers of each cell of a row of A and a column of B to SUM.
template <int SUM, int A, int B>
INLINE void multiply_tiles() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(SUM), "i"(A), "i"(B));
}

#endif

// Which tile is what: four of sums, then one of rows and one of what they are multiplied with, and
// again for the rest of the cells where they fill no tile.
enum { SUMS, OF_ROWS = 4, OF_OTHERS, REST_OF_ROWS, REST_OF_OTHERS };

// Sizes of sixteen rows of so many cells, and of their sums with as many others as are summed.
inline TileSizes sizes_for(int cells) {
    TileSizes sizes;
    for (int sums = SUMS; sums < OF_ROWS; ++sums) sizes.set(sums, TILE_ROWS, LANES);
    sizes.set(OF_ROWS, TILE_ROWS, TILE_CELLS);
    sizes.set(OF_OTHERS, TILE_CELLS, LANES);
    if (const int rest = cells % TILE_CELLS) {
        sizes.set(REST_OF_ROWS, TILE_ROWS, rest);
        sizes.set(REST_OF_OTHERS, rest, LANES);
    }
    return sizes;
}

// Calls `add` with the tile of rows and that of others, and the cell at which they begin.
template <class Add>
INLINE void each_of_cells(int cells, const Add& add) {
    int cell = 0;
    for (; cell + TILE_CELLS <= cells; cell += TILE_CELLS) {
        add(Constant<OF_ROWS>(), Constant<OF_OTHERS>(), cell);
    }
    if (cell < cells) add(Constant<REST_OF_ROWS>(), Constant<REST_OF_OTHERS>(), cell);
}

// Tiles of these sizes, as long as this is there.
class HeldTiles {
public:
    explicit HeldTiles(const TileSizes& sizes) { take_tiles(&sizes); }
    ~HeldTiles() { give_tiles_back(); }
    HeldTiles(const HeldTiles&) = delete;
    HeldTiles& operator=(const HeldTiles&) = delete;
};

}  // namespace
