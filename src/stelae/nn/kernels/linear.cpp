// A linear layer by itself; see products.h.

#include "functions.h"
#include "products.h"

#include <algorithm>
#include <cstdint>

namespace {

enum Joining { ALONE, ADDED, MULTIPLIED };  // what becomes of the result and other numbers

struct Rows {
    const Number* start;
    int64_t stride;

    const Number* operator[](int64_t row) const { return start + row * stride; }
};

// Some panels of some rows, into rows that lie side by side.
void run(
    Rows x, int64_t first, int64_t rows, const Weights& w, int from, int to,
    Activation activation, Joining joining, Rows other, Number* out) {
    multiply_rows(x[first], x.stride, rows, w, from, to, [&](Tile& tile) {
        activation(tile.sums[0], tile.rows * PANEL);
        tile.each(w, [&](int64_t row, int at, int count, Floats y) {
            if (joining != ALONE) {
                const Floats with = load_some_numbers(other[first + row] + at, count);
                y = joining == ADDED ? add(y, with) : multiply(y, with);
            }
            store_some_numbers(out + (first + row) * w.outputs + at, count, y);
        });
    });
}

}  // namespace

// activation(x W + b), rows side by side in `out`; `other`, of the same shape, is added to that or
// multiplied by it where `joining` says so. Strides are in numbers. Weights and bias are laid out
// as products.h says. Returns 0.
extern "C" int stelae_linear(
    const Number* x, int64_t stride, int64_t rows, const Number* panels, const float* bias,
    int inputs, int outputs, int activation, int joining, const Number* other,
    int64_t other_stride, Number* out, int threads) {
    const Weights w{panels, bias, inputs, outputs};
    // Few rows are shared out by panels, so that every weight is read once; many by themselves.
    const int64_t blocks = (rows + BLOCK - 1) / BLOCK;
    const int64_t parts = blocks >= threads ? 1 : std::min<int64_t>(w.count(), 2 * threads);
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1 && blocks * parts > 1)
    for (int64_t task = 0; task < blocks * parts; ++task) {
        const int64_t first = task / parts * BLOCK, part = task % parts;
        run({x, stride}, first, std::min(BLOCK, rows - first), w,
            static_cast<int>(w.count() * part / parts),
            static_cast<int>(w.count() * (part + 1) / parts), ACTIVATIONS[activation],
            static_cast<Joining>(joining), {other, other_stride}, out);
    }
    return 0;
}
