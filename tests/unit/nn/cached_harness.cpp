// Runs the kernel on buffers of exactly the size they need, for the sanitizers to watch.

#include <cstdint>
#include <cstdio>
#include <vector>

#include "harness.h"

extern "C" int stelae_attend_cached(
    const Number*, const Number*, const Number*, Number*, int64_t, int64_t, int64_t, int64_t,
    const int64_t*, const int64_t*, const int64_t*, Number* const*, Number* const*, const int64_t*,
    int64_t, int, int, int, float, int64_t, float, int);

int main() {
    const int64_t before[] = {0, 0, 1, 15, 16, 255, 256, 300, 0, 20};
    const int64_t fresh[] = {1, 7, 1, 1, 2, 1, 6, 1, 520, 253};
    const int64_t texts = 10, kv = 2;
    for (int width : {2, 18, 32, 72, 128}) {
        for (int64_t window : {-1, 0, 5, 400}) {
            for (int served = 1; served < 4; ++served) {
                const int heads = kv * served;
                int64_t tokens = 0;
                std::vector<int64_t> starts, rooms;
                std::vector<std::vector<Number>> kept;
                for (int64_t i = 0; i < texts; ++i) {
                    starts.push_back(tokens);
                    tokens += fresh[i];
                    rooms.push_back(before[i] + fresh[i] + (i % 2 ? 3 : 0));
                    for (int part = 0; part < 2; ++part) {
                        kept.push_back(numbers(kv * rooms[i] * width, 3));
                    }
                }
                std::vector<Number*> keys, values;
                for (int64_t i = 0; i < texts; ++i) {
                    keys.push_back(kept[2 * i].data()), values.push_back(kept[2 * i + 1].data());
                }
                const auto q = numbers(tokens * heads * width), k = numbers(tokens * kv * width, 7);
                std::vector<Number> out(q.size());
                const int64_t across = heads * width, of_kv = kv * width;
                if (stelae_attend_cached(
                        q.data(), k.data(), k.data(), out.data(), across, of_kv, of_kv, across,
                        starts.data(), fresh, before, keys.data(), values.data(), rooms.data(),
                        texts, heads, kv, width, 0.1f, window, served == 2 ? 20.0f : 0.0f, 1)) {
                    return 1;
                }
            }
        }
    }
    std::puts("done");
    return 0;
}
