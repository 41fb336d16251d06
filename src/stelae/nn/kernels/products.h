// Rows of numbers times the weights of a linear layer.
//
// Weights are laid out once: per PANEL outputs, per cell of inputs, the cells of all of these
// outputs side by side, zeros where outputs end. Six rows go through a panel at a time with all
// sums in registers, so that weights are read once for six rows and nothing is read back. What a
// row gets is summed in one order, whatever its neighbours are: its bits do not depend on them.
// While rows go through one panel, the weights of the next are fetched, a part by each six.

#pragma once

#include "registers.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

constexpr int TOGETHER = 6;            // rows at a time
constexpr int PANEL = WIDE * LANES;    // outputs whose weights lie together
constexpr int64_t BLOCK = 96;          // rows that go through one panel after another
constexpr int64_t CELL = 4;            // bytes

// What weights of all kinds have in common.
struct Panels {
    const char* start;
    const float* bias;  // as many as outputs, in whole panels; zeros where there is none
    int inputs, outputs;
    int cells;  // of inputs

    int count() const { return (outputs + PANEL - 1) / PANEL; }
    const char* at(int panel) const { return start + CELL * PANEL * panel * int64_t(cells); }
};

// The sums of a tile: of so many rows from `row` on, and of outputs from `output` on.
struct Tile {
    alignas(64) float sums[TOGETHER][PANEL];
    int64_t row;
    int rows, output;
    int registers;  // with outputs; the last may have fewer than LANES of them

    // Calls `take` with the row, the output, how many there are from there on, and their sums.
    template <class Take>
    void each(const Panels& w, const Take& take) const {
        for (int r = 0; r < rows; ++r) {
            for (int n = 0; n < registers; ++n) {
                const int at = output + n * LANES;
                take(row + r, at, std::min(LANES, w.outputs - at), load(sums[r] + n * LANES));
            }
        }
    }
};

// What is fetched while a tile is summed: so many registers from `start` on.
struct Ahead {
    const char* start;
    int count;

    INLINE void fetch(int number) const {
        if (number < count) fetch_soon(start + number * CELL * LANES);
    }
};

// Rows as they are multiplied.
struct Rows {
    const Number* start;
    int64_t stride;

    const Number* operator[](int64_t row) const { return start + row * stride; }
};

// Adds the products of R rows, from one on, and the weights of a panel to their sums, cell by cell, of
// so many numbers in a row.
template <int R, class Sums, class Row, class Dot>
INLINE void walk(
    const char* weights, int cells, const Row* row, int64_t stride, int per_cell, Ahead ahead,
    Sums (&sums)[R][WIDE], const Dot& add_products) {
    for (int cell = 0; cell < cells; ++cell) {
        ahead.fetch(cell);
        Cells block[WIDE];
        for (int n = 0; n < WIDE; ++n) {
            block[n] = load_cells(weights + (int64_t(cell) * WIDE + n) * LANES * CELL);
        }
        for (int r = 0; r < R; ++r) {
            const Cells of_row = cell_at(row + r * stride + per_cell * cell);
            for (int n = 0; n < WIDE; ++n) {
                sums[r][n] = add_products(sums[r][n], of_row, block[n]);
            }
        }
    }
}

// Weights as the numbers that rows consist of.
struct Weights : Panels {
    size_t room() const { return 0; }  // bytes that `ready` wants
    Rows ready(Rows x, int64_t, char*) const { return x; }

    // Sums of R rows from `first` on, and the outputs of a panel.
    template <int R>
    void multiply(Rows x, int64_t first, int panel, Ahead ahead, Tile& tile) const {
        Floats sums[R][WIDE];
        for (auto& row : sums) {
            for (int n = 0; n < WIDE; ++n) row[n] = load(bias + panel * PANEL + n * LANES);
        }
        walk(at(panel), cells, x[first], x.stride, PER_CELL, ahead, sums, dot);
        for (int r = 0; r < R; ++r) {
            for (int n = 0; n < WIDE; ++n) store(tile.sums[r] + n * LANES, sums[r][n]);
        }
    }
};

// Six of the rows that are left, unless two tiles more will do: then the rows are shared out.
inline int rows_of(int64_t left) {
    if (left <= TOGETHER) return int(left);
    return left < 2 * TOGETHER ? int((left + 1) / 2) : TOGETHER;
}

template <class Kind, class Ready>
void multiply_tile(
    const Kind& w, const Ready& x, int64_t first, int panel, Ahead ahead, Tile& tile) {
    switch (tile.rows) {
        case 1: return w.template multiply<1>(x, first, panel, ahead, tile);
        case 2: return w.template multiply<2>(x, first, panel, ahead, tile);
        case 3: return w.template multiply<3>(x, first, panel, ahead, tile);
        case 4: return w.template multiply<4>(x, first, panel, ahead, tile);
        case 5: return w.template multiply<5>(x, first, panel, ahead, tile);
        default: return w.template multiply<6>(x, first, panel, ahead, tile);
    }
}

// Rows times the weights of some panels; `finish` takes one tile of sums after another, and `room`
// is as large as the weights want it to be.
template <class Kind, class Finish>
void multiply_rows(
    Rows x, int64_t rows, const Kind& w, int from, int to, char* room, const Finish& finish) {
    Tile tile;
    for (int64_t first = 0; first < rows; first += BLOCK) {
        const int64_t here = std::min(BLOCK, rows - first), tiles = here / TOGETHER;
        const auto ready = w.ready({x[first], x.stride}, here, room);
        for (int panel = from; panel < to; ++panel) {
            tile.output = panel * PANEL;
            tile.registers = std::min(WIDE, (w.outputs - tile.output + LANES - 1) / LANES);
            const bool fetches = panel + 1 < to && tiles >= WIDE;  // fewer read it as fast
            const int fetched = fetches ? int((w.cells * WIDE + tiles - 1) / tiles) : 0;
            Ahead ahead{w.at(panel + 1), fetched};
            for (int64_t row = 0; row < here; row += tile.rows) {
                tile.row = first + row;
                tile.rows = rows_of(here - row);
                multiply_tile(w, ready, row, panel, ahead, tile);
                ahead.start += fetched * CELL * LANES;
                finish(tile);
            }
        }
    }
}

}  // namespace
