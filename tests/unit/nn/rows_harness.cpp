// Runs the kernel on buffers of exactly the size they need, for the sanitizers to watch.

#include <cstdint>
#include <cstdio>
#include <vector>

#include "harness.h"

extern "C" int stelae_embed(
    Number*, int64_t, int64_t, const Number* const*, const int64_t*, const int64_t* const*, int,
    const float*, const float*, float, int);
extern "C" int stelae_means(
    float*, const Number*, int64_t, const int64_t*, const int64_t*, const int64_t*, int64_t, int);

int main() {
    const int64_t sizes[] = {7, 40, 2};
    for (int64_t width : {LANES, 3 * LANES, 24 * LANES}) {
        std::vector<std::vector<Number>> tables;
        for (int64_t size : sizes) tables.push_back(numbers(size * width, 3));
        const Number* starts[] = {tables[0].data(), tables[1].data(), tables[2].data()};
        const Norm norm(static_cast<int>(width));
        for (int64_t tokens : {0, 1, 40, 300}) {
            std::vector<int64_t> words, positions;
            for (int64_t i = 0; i < tokens; ++i) words.push_back(i % 7), positions.push_back(i % 40);
            const int64_t* places[] = {words.data(), positions.data(), nullptr};
            std::vector<Number> made(tokens * width);
            for (int threads : {1, 2}) {
                if (stelae_embed(made.data(), tokens, width, starts, sizes, places, 3,
                                 norm.scale.start, norm.shift.start, 1e-5f, threads)) return 1;
            }
            if (tokens == 0) continue;
            for (int64_t wrong : {int64_t(-1), int64_t(7), INT64_MAX}) {
                words.back() = wrong;
                if (stelae_embed(made.data(), tokens, width, starts, sizes, places, 3,
                                 norm.scale.start, norm.shift.start, 1e-5f, 1) != 2) return 2;
            }
        }
        const int64_t begins[] = {0, 1, 1, 6}, lengths[] = {1, 0, 5, 30}, skips[] = {1, 0, 2, 29};
        const auto rows = numbers(36 * width);
        Aligned<float> means(4 * width);
        for (const int64_t* given : {static_cast<const int64_t*>(nullptr), skips}) {
            stelae_means(means.start, rows.data(), width, begins, lengths, given, 4, 2);
        }
    }
    std::puts("done");
    return 0;
}
