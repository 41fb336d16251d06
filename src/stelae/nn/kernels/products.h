// Rows of numbers times the weights of a linear layer.
//
// Six rows go through a panel at a time with all sums in registers, so that weights are read once
// for six rows and nothing is read back; with tiles it is 32 rows, see tiled.h. What a row gets is
// summed in one order, whatever its neighbours are: its bits do not depend on them. While rows go
// through one panel, the weights of the next are fetched, a part by each six.

#pragma once

#include "panels.h"
#ifdef STELAE_TILES
#include "tiled.h"
#endif

#include <algorithm>
#include <cstdint>

namespace {

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

#ifndef STELAE_TILES

// Weights as the numbers that rows consist of.
struct Weights : Panels {
    size_t room() const { return 0; }  // bytes that `ready` wants
    Rows ready(Rows x, int64_t, char*) const { return x; }
    char hold() const { return 0; }  // what a processor has to have meanwhile

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

#endif

// Rows times the weights of some panels; `finish` takes one tile of sums after another, and `room`
// is as large as the weights want it to be.
template <class Kind, class Finish>
void multiply_rows(
    Rows x, int64_t rows, const Kind& w, int from, int to, char* room, const Finish& finish) {
    [[maybe_unused]] const auto held = w.hold();
    Tile tile;
    for (int64_t first = 0; first < rows; first += BLOCK) {
        const int64_t here = std::min(BLOCK, rows - first);
        const int64_t tiles = (here + TOGETHER - 1) / TOGETHER;
        const auto ready = w.ready({x[first], x.stride}, here, room);
        for (int panel = from; panel < to; ++panel) {
            tile.output = panel * PANEL;
            tile.registers = std::min(WIDE, (w.outputs - tile.output + LANES - 1) / LANES);
            const bool fetches = panel + 1 < to && here >= MANY;  // fewer read it as fast
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
