// Runs the kernel on buffers of exactly the size they need, for the sanitizers to watch.

#include <cstdint>
#include <cstdio>
#include <iterator>
#include <vector>

#include "harness.h"

extern "C" int stelae_attend(
    const Number*, const Number*, const Number*, Number*, int64_t, int64_t, int64_t, int64_t,
    const int64_t*, const int64_t*, const int64_t*, int64_t, int, int, int, float, int64_t, int64_t,
    float, const float*, int64_t, const Number*, const Number*, int64_t, int);

int main() {
    const int64_t all[] = {1, 2, 5, 6, 7, 15, 16, 17, 33, 255, 256, 257, 300, 520};
    const int widths[] = {1, 7, 18, 32, 48, 72, 128};
    const int64_t spans[][2] = {{-1, -1}, {-1, 0}, {0, 0}, {64, 64}, {3, 0}, {1000, 2}};
    for (int width : widths) {
        if (width % PER_CELL) continue;
        for (auto& span : spans) {
            for (int served = 1; served < 3; ++served) {
                std::vector<int64_t> starts, lengths(std::begin(all), std::end(all)), seen;
                int64_t tokens = 0;
                for (int64_t length : lengths) {
                    starts.push_back(tokens);
                    seen.push_back(length > 4 && span[0] < 0 && span[1] < 0 ? length - 3 : length);
                    tokens += length;
                }
                const int kv = 2, heads = kv * served;
                const auto q = numbers(tokens * heads * width), k = numbers(tokens * kv * width, 7);
                std::vector<Number> v(k), out(q.size());
                // Exactly those of the longest sequence, for every second run.
                const int64_t longest = lengths.back(), reach = 2 * longest - 1;
                const std::vector<float> distances(heads * reach, 0.25f);
                const float* added = served == 2 ? distances.data() + longest - 1 : nullptr;
                const int64_t rows = (reach + LANES - 1) / LANES * LANES;
                Aligned<Number> to_query(heads * rows * width), to_key(heads * rows * width);
                for (int64_t i = 0; i < heads * rows * width; ++i) {
                    to_query.start[i] = to_key.start[i] = number(i);
                }
                const bool by_query = width % 3 != 0, by_key = width % 5 != 0;
                const int64_t across = heads * width, of_kv = kv * width;
                if (stelae_attend(
                        q.data(), k.data(), v.data(), out.data(), across, of_kv, of_kv, across,
                        starts.data(), lengths.data(), seen.data(), lengths.size(), heads, kv, width,
                        0.1f, span[0], span[1], width % 4 ? 0.0f : 20.0f, added, reach,
                        by_query ? to_query.start : nullptr, by_key ? to_key.start : nullptr, reach,
                        1)) {
                    return 1;
                }
            }
        }
    }
    std::puts("done");
    return 0;
}
