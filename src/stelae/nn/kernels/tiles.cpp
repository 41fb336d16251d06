// A program of its own that says by its exit status whether tiles work here: 0 if the system lets
// them be used and they multiply rightly. A processor, or whoever plays one, that does otherwise
// ends this program and nothing else.

#include "products.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr int ASK_FOR_STATE = 0x1023, OF_TILES = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA

Number number_at(int64_t place) { return Number(0x3f80 + 17 * place % 97 - (place % 3 << 15)); }
double value_of(Number x) {
    const uint32_t bits = uint32_t(x) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// All cells of inputs that fill tiles and some that do not, rows and outputs likewise.
bool multiplies_rightly() {
    constexpr int ROWS = 53, INPUTS = 106, OUTPUTS = 100, PANELS = (OUTPUTS + PANEL - 1) / PANEL;
    std::vector<Number> x(ROWS * INPUTS), weights(PANELS * PANEL * INPUTS);
    alignas(64) static float bias[PANELS * PANEL];
    const auto weight = [&](int output, int input) -> Number& {
        const int64_t cell = int64_t(output / PANEL) * INPUTS / PER_CELL + input / PER_CELL;
        return weights[(cell * PANEL + output % PANEL) * PER_CELL + input % PER_CELL];
    };
    for (int64_t i = 0; i < ROWS * INPUTS; ++i) x[i] = number_at(i);
    for (int n = 0; n < OUTPUTS; ++n) {
        bias[n] = float(n);
        for (int i = 0; i < INPUTS; ++i) weight(n, i) = number_at(7 * n + 5 * i);
    }
    const Weights w{{reinterpret_cast<const char*>(weights.data()), bias, INPUTS, OUTPUTS,
                     INPUTS / PER_CELL}};
    std::vector<char> room(w.room());
    double most = 0.0;
    multiply_rows({x.data(), INPUTS}, ROWS, w, 0, w.count(), room.data(), [&](const Tile& tile) {
        tile.each(w, [&](int64_t row, int at, int count, Floats sums) {
            alignas(64) float found[LANES];
            store(found, sums);
            for (int n = 0; n < count; ++n) {
                double wanted = bias[at + n];
                for (int i = 0; i < INPUTS; ++i) {
                    wanted += value_of(x[row * INPUTS + i]) * value_of(weight(at + n, i));
                }
                most = std::fmax(most, std::isnan(found[n]) ? INFINITY
                                                            : std::fabs(found[n] - wanted));
            }
        });
    });
    return most < 0.01;  // sums of some hundred numbers, added up in float32
}

}  // namespace

int main() {
#ifndef STELAE_TILES_MODEL
    if (syscall(SYS_arch_prctl, ASK_FOR_STATE, OF_TILES) != 0) return 2;
#endif
    return multiplies_rightly() ? 0 : 1;
}
