// Rows times weights by tiles of a processor that has them.
//
// Sixteen rows go through a panel at a time with the sums of all its outputs in tiles, or 32 with
// half of them, by sixteen cells of inputs. Weights lie in panels as tiles want them. Rows that
// fill no tile are copied to where one is, so that nothing is read behind them.

#pragma once

#include "panels.h"
#include "tiles.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace {

constexpr int64_t NEXT_CELL = CELL * PANEL;  // bytes
constexpr int64_t NEXT_REGISTER = CELL * LANES;
constexpr int64_t NEXT_SUMS = PANEL * sizeof(float);

// Sixteen rows.
struct Sixteen {
    const Number* start;
    int64_t stride;

    template <int T>
    INLINE void load(int cell) const {
        load_tile<T>(start + PER_CELL * cell, stride * sizeof(Number));
    }
};

// Rows, of which the last are somewhere else.
struct RowsInTiles {
    Rows rows;
    int64_t whole;
    Rows last;

    Sixteen from(int64_t row) const {
        return row < whole ? Sixteen{rows[row], rows.stride}
                           : Sixteen{last[row - whole], last.stride};
    }
};

// Sums of sixteen rows and four registers of outputs.
struct Across {
    Sixteen rows;
    const char* weights;

    INLINE void begin(const float* bias) const {  // the same into all rows
        each_of<4>([&](auto n) INLINED { load_tile<SUMS + n>(bias + n * LANES, 0); });
    }
    template <int A, int B>
    INLINE void add(int cell) const {
        const char* from = weights + cell * NEXT_CELL;
        rows.load<A>(cell);
        each_of<4>([&](auto n) INLINED {
            load_tile<B>(from + n * NEXT_REGISTER, NEXT_CELL);
            multiply_tiles<SUMS + n, A, B>();
        });
    }
    INLINE void end(float* to) const {
        each_of<4>([&](auto n) INLINED { store_tile<SUMS + n>(to + n * LANES, NEXT_SUMS); });
    }
};

// Sums of twice sixteen rows and two registers of outputs.
struct Along {
    Sixteen rows, later;
    const char* weights;

    INLINE void begin(const float* bias) const {
        each_of<4>([&](auto n) INLINED { load_tile<SUMS + n>(bias + n % 2 * LANES, 0); });
    }
    template <int A, int B>
    INLINE void add(int cell) const {
        const char *first = weights + cell * NEXT_CELL, *second = first + NEXT_REGISTER;
        rows.load<A>(cell);
        load_tile<B>(first, NEXT_CELL);
        multiply_tiles<SUMS, A, B>();
        load_tile<B>(second, NEXT_CELL);
        multiply_tiles<SUMS + 1, A, B>();
        later.load<A>(cell);
        multiply_tiles<SUMS + 3, A, B>();
        load_tile<B>(first, NEXT_CELL);
        multiply_tiles<SUMS + 2, A, B>();
    }
    INLINE void end(float* to) const {
        each_of<4>([&](auto n) INLINED {
            store_tile<SUMS + n>(to + n / 2 * TILE_ROWS * PANEL + n % 2 * LANES, NEXT_SUMS);
        });
    }
};

// All inputs of such sums; while they are added, so many registers are fetched.
template <class Sums>
INLINE void add_all(
    const Sums& sums, const float* bias, int cells, Ahead ahead, float* to) {
    const int steps = std::max(1, cells / TILE_CELLS), each = (ahead.count + steps - 1) / steps;
    sums.begin(bias);
    each_of_cells(cells, [&](auto a, auto b, int cell) INLINED {
        const int from = cell / TILE_CELLS * each;
        for (int i = from; i < from + each; ++i) ahead.fetch(i);
        sums.template add<a, b>(cell);
    });
    sums.end(to);
}

// Weights as the numbers that rows consist of.
struct Weights : Panels {
    size_t room() const { return TILE_ROWS * inputs * sizeof(Number); }

    RowsInTiles ready(Rows x, int64_t rows, char* room) const {
        Number* last = reinterpret_cast<Number*>(room);
        const int64_t whole = rows / TILE_ROWS * TILE_ROWS;
        for (int64_t row = whole; row < rows; ++row) {
            std::memcpy(last + (row - whole) * inputs, x[row], inputs * sizeof(Number));
        }
        return {x, whole, {last, inputs}};
    }
    HeldTiles hold() const { return HeldTiles(sizes_for(cells)); }
};

inline int rows_of(int64_t left) { return static_cast<int>(std::min<int64_t>(left, TOGETHER)); }

// Sums of up to 32 rows from `first` on, and the outputs of a panel.
inline void multiply_tile(
    const Weights& w, const RowsInTiles& x, int64_t first, int panel, Ahead ahead, Tile& tile) {
    const char* weights = w.at(panel);
    const float* bias = w.bias + panel * PANEL;
    float* to = tile.sums[0];
    const Sixteen rows = x.from(first);
    if (tile.rows <= TILE_ROWS) return add_all(Across{rows, weights}, bias, w.cells, ahead, to);
    const Sixteen later = x.from(first + TILE_ROWS);
    constexpr int64_t half = PANEL / 2;
    add_all(Along{rows, later, weights}, bias, w.cells, ahead, to);
    add_all(
        Along{rows, later, weights + CELL * half}, bias + half, w.cells, {}, to + half);
}

}  // namespace
