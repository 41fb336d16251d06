// Runs the kernel on buffers of exactly the size they need, for the sanitizers to watch.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "registers.h"

extern "C" int stelae_attend(
    const Number*, const Number*, const Number*, Number*, int64_t, int64_t, int64_t, int64_t,
    const int64_t*, const int64_t*, const int64_t*, int64_t, int, int, int, float, int64_t, int64_t,
    int);

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
                const auto number = [](size_t i) {
                    const uint16_t upper = 0x3f00 + i % 97;  // of a float32 from 0.5 to 1
                    return PER_CELL == 2 ? static_cast<Number>(upper)
                                         : static_cast<Number>(0.5f + (i % 97) / 256.0f);
                };
                std::vector<Number> q(tokens * heads * width), k(tokens * kv * width);
                for (size_t i = 0; i < q.size(); ++i) q[i] = number(i);
                for (size_t i = 0; i < k.size(); ++i) k[i] = number(i * 7);
                std::vector<Number> v(k), out(q.size());
                const int64_t across = heads * width, of_kv = kv * width;
                if (stelae_attend(
                        q.data(), k.data(), v.data(), out.data(), across, of_kv, of_kv, across,
                        starts.data(), lengths.data(), seen.data(), lengths.size(), heads, kv, width,
                        0.1f, span[0], span[1], 1)) {
                    return 1;
                }
            }
        }
    }
    std::puts("done");
    return 0;
}
