// A linear layer by itself; see products.h.

#include "functions.h"
#include "products.h"
#include "quantised.h"
#include "scratch.h"

#include <algorithm>
#include <cstdint>

namespace {

enum Joining { ALONE, ADDED, MULTIPLIED };  // what becomes of the result and other numbers

struct Wanted {
    Activation activation;
    Joining joining;
    Rows other;
    Number* out;
};

// Some panels of some rows, into rows that lie side by side.
template <class Kind>
void run(
    Rows x, int64_t first, int64_t rows, const Kind& w, int from, int to, char* room,
    const Wanted& wanted) {
    multiply_rows({x[first], x.stride}, rows, w, from, to, room, [&](Tile& tile) {
        wanted.activation(tile.sums[0], tile.rows * PANEL);
        tile.each(w, [&](int64_t row, int at, int count, Floats y) {
            if (wanted.joining != ALONE) {
                const Floats with = load_some_numbers(wanted.other[first + row] + at, count);
                y = wanted.joining == ADDED ? add(y, with) : multiply(y, with);
            }
            store_some_numbers(wanted.out + (first + row) * w.outputs + at, count, y);
        });
    });
}

thread_local Scratch room_scratch;

template <class Kind>
bool run_all(Rows x, int64_t rows, const Kind& w, const Wanted& wanted, int threads) {
    // Few rows are shared out by panels, so that every weight is read once; many by themselves.
    const int64_t blocks = (rows + BLOCK - 1) / BLOCK;
    const int64_t parts = blocks >= threads ? 1 : std::min<int64_t>(w.count(), 2 * threads);
    int failed = 0;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1 && blocks * parts > 1)
    for (int64_t task = 0; task < blocks * parts; ++task) {
        if (!room_scratch.grow(w.room())) {
#pragma omp atomic write
            failed = 1;
            continue;
        }
        const int64_t first = task / parts * BLOCK, part = task % parts;
        run(x, first, std::min(BLOCK, rows - first), w, static_cast<int>(w.count() * part / parts),
            static_cast<int>(w.count() * (part + 1) / parts), room_scratch.start(), wanted);
    }
    return !failed;
}

}  // namespace

// activation(x W + b), rows side by side in `out`; `other`, of the same shape, is added to that or
// multiplied by it where `joining` says so. Strides are in numbers. `parts` are those of a layer
// as quantised.h says. Returns 0, or 1 if memory ran out.
extern "C" int stelae_linear(
    const Number* x, int64_t stride, int64_t rows, const void* const* parts, int inputs,
    int outputs, int activation, int joining, const Number* other, int64_t other_stride,
    Number* out, int threads) {
    const Wanted wanted{
        ACTIVATIONS[activation], static_cast<Joining>(joining), {other, other_stride}, out};
    const auto all = [&](const auto& w) { return run_all({x, stride}, rows, w, wanted, threads); };
    return std::visit(all, layer_of(parts, inputs, outputs)) ? 0 : 1;
}
