// Runs the kernel on buffers of exactly the size they need, for the sanitizers to watch.

#include <cstdint>
#include <cstdio>
#include <vector>

#include "harness.h"

extern "C" int stelae_linear(
    const Number*, int64_t, int64_t, const void* const*, int, int, int, int, const Number*,
    int64_t, Number*, int);

int main() {
    for (int inputs : {1, 2, 18, 33, 96}) {
        if (inputs % PER_CELL && !INT8) continue;
        for (int outputs : {1, 7, 16, 63, 64, 65, 200}) {
            const Layer layer(inputs, outputs, INT8);
            const auto parts = layer.parts();
            for (int64_t rows : {0, 1, 5, 6, 7, 13, 96, 97, 200}) {
                for (int64_t apart : {0, 3}) {
                    const auto size = [&](int64_t width) {
                        return rows ? (rows - 1) * (width + apart) + width : 0;
                    };
                    const auto x = numbers(size(inputs)), other = numbers(size(outputs), 7);
                    std::vector<Number> out(rows * outputs);
                    for (int threads : {1, 3}) {
                        for (int how = 0; how < 6; ++how) {  // activations and joinings
                            const int joining = how % 3;
                            if (stelae_linear(
                                    x.data(), inputs + apart, rows, parts.data(), inputs, outputs,
                                    how, joining, joining ? other.data() : nullptr,
                                    outputs + apart, out.data(), threads)) {
                                return 1;
                            }
                        }
                    }
                }
            }
        }
    }
    std::puts("done");
    return 0;
}
