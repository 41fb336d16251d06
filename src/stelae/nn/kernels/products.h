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
#include <cstdint>

namespace {

constexpr int TOGETHER = 6;            // rows at a time
constexpr int PANEL = WIDE * LANES;    // outputs whose weights lie together
constexpr int64_t BLOCK = 96;          // rows that go through one panel after another

struct Weights {
    const Number* panels;
    const float* bias;  // as many as outputs, in whole panels; zeros where there is none
    int inputs, outputs;

    int cells() const { return inputs / PER_CELL; }
    int count() const { return (outputs + PANEL - 1) / PANEL; }  // of the panels
};

// The sums of a tile: of so many rows from `row` on, and of outputs from `output` on.
struct Tile {
    alignas(64) float sums[TOGETHER][PANEL];
    int64_t row;
    int rows, output;
    int registers;  // with outputs; the last may have fewer than LANES of them

    // Calls `take` with the row, the output, how many there are from there on, and their sums.
    template <class Take>
    void each(const Weights& w, const Take& take) const {
        for (int r = 0; r < rows; ++r) {
            for (int n = 0; n < registers; ++n) {
                const int at = output + n * LANES;
                take(row + r, at, std::min(LANES, w.outputs - at), load(sums[r] + n * LANES));
            }
        }
    }
};

// Sums of R rows and the outputs of a panel, while so many cells are fetched from `ahead` on.
template <int R>
void multiply(
    const Number* x, int64_t stride, const Number* panel, const float* bias, int cells,
    const Number* ahead, int fetched, Tile& tile) {
    Floats sums[R][WIDE];
    for (auto& row : sums) {
        for (int n = 0; n < WIDE; ++n) row[n] = load(bias + n * LANES);
    }
    for (int cell = 0; cell < cells; ++cell) {
        if (cell < fetched) fetch_soon(ahead + int64_t(cell) * LANES * PER_CELL);
        Cells block[WIDE];
        for (int n = 0; n < WIDE; ++n) {
            block[n] = load_cells(panel + (int64_t(cell) * WIDE + n) * LANES * PER_CELL);
        }
        for (int r = 0; r < R; ++r) {
            const Cells number = cell_at(x + r * stride + PER_CELL * cell);
            for (int n = 0; n < WIDE; ++n) sums[r][n] = dot(sums[r][n], number, block[n]);
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int n = 0; n < WIDE; ++n) store(tile.sums[r] + n * LANES, sums[r][n]);
    }
}

using Multiply = decltype(&multiply<1>);
constexpr Multiply MULTIPLY[] = {
    multiply<1>, multiply<2>, multiply<3>, multiply<4>, multiply<5>, multiply<6>};

// Six of the rows that are left, unless two tiles more will do: then the rows are shared out.
inline int rows_of(int64_t left) {
    if (left <= TOGETHER) return int(left);
    return left < 2 * TOGETHER ? int((left + 1) / 2) : TOGETHER;
}

// Rows times the weights of some panels; `finish` takes one tile of sums after another.
template <class Finish>
void multiply_rows(
    const Number* x, int64_t stride, int64_t rows, const Weights& w, int from, int to,
    const Finish& finish) {
    Tile tile;
    for (int64_t first = 0; first < rows; first += BLOCK) {
        const int64_t end = std::min(rows, first + BLOCK), tiles = (end - first) / TOGETHER;
        for (int panel = from; panel < to; ++panel) {
            tile.output = panel * PANEL;
            tile.registers = std::min(WIDE, (w.outputs - tile.output + LANES - 1) / LANES);
            const Number* weights = w.panels + int64_t(tile.output) * w.inputs;
            const Number* ahead = weights + int64_t(PANEL) * w.inputs;
            const bool fetches = panel + 1 < to && tiles >= WIDE;  // fewer read it as fast
            const int fetched = fetches ? int((w.cells() * WIDE + tiles - 1) / tiles) : 0;
            for (tile.row = first; tile.row < end; tile.row += tile.rows) {
                tile.rows = rows_of(end - tile.row);
                MULTIPLY[tile.rows - 1](
                    x + tile.row * stride, stride, weights, w.bias + tile.output, w.cells(), ahead,
                    fetched, tile);
                ahead += int64_t(fetched) * LANES * PER_CELL;
                finish(tile);
            }
        }
    }
}

}  // namespace
