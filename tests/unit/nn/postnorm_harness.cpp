// Runs the kernel on buffers of exactly the size they need, for the sanitizers to watch.

#include <cstdint>
#include <cstdio>
#include <vector>

#include "harness.h"

extern "C" int stelae_postnorm(
    Number*, const void* const*, int, int, int, int, int, float, const int64_t*, const int64_t*,
    const int64_t*, int64_t, const float*, int64_t, int, double*);

struct Norm {
    explicit Norm(int width) : scale(width), shift(width) {
        for (int i = 0; i < width; ++i) scale.start[i] = 0.5f, shift.start[i] = 0.125f;
    }

    Aligned<float> scale, shift;
};

struct Block {
    Block(int width, int inner)
        : qkv(width, 3 * width, INT8), out(width, width), up(width, inner, INT8),
          down(inner, width, INT8), out_norm(width), down_norm(width) {}
    void add_to(std::vector<const void*>& parts) const {
        for (const auto* part : {&qkv, &out, &up, &down}) {
            for (const void* one : part->parts()) parts.push_back(one);
            const Norm* norm = part == &out ? &out_norm : part == &down ? &down_norm : nullptr;
            if (norm == nullptr) continue;
            parts.push_back(norm->scale.start);
            parts.push_back(norm->shift.start);
        }
    }

    Layer qkv, out, up, down;
    Norm out_norm, down_norm;
};

struct Shape {
    int width, heads, inner, blocks;
};

bool runs(const Shape& shape, const std::vector<int64_t>& lengths, int64_t hidden) {
    std::vector<Block> blocks;
    std::vector<const void*> parts;
    for (int i = 0; i < shape.blocks; ++i) blocks.emplace_back(shape.width, shape.inner);
    for (const Block& block : blocks) block.add_to(parts);
    std::vector<int64_t> starts, seen;
    int64_t tokens = 0;
    for (int64_t length : lengths) {
        starts.push_back(tokens);
        seen.push_back(length > hidden ? length - hidden : length);
        tokens += length;
    }
    // Exactly those of the longest sequence, where all tokens are seen.
    const int64_t longest = lengths.empty() ? 1 : lengths.back(), reach = 2 * longest - 1;
    const std::vector<float> distances(shape.heads * reach, 0.25f);
    const float* added = hidden == 0 ? distances.data() + longest - 1 : nullptr;
    std::vector<Number> known;
    for (int threads : {1, 2, 5}) {
        auto x = numbers(tokens * shape.width);
        std::vector<double> spent(3);
        if (stelae_postnorm(
                x.data(), parts.data(), shape.blocks, shape.width, shape.heads, shape.inner, 1,
                1e-12f, starts.data(), lengths.data(), seen.data(), lengths.size(), added,
                reach, threads, threads == 1 ? spent.data() : nullptr)) {
            return false;
        }
        if (threads == 1) known = x;
        if (x != known) return false;
    }
    return true;
}

int main() {
    const Shape shapes[] = {{16, 1, 2, 1}, {16, 8, 34, 2}, {48, 3, 130, 2}, {112, 7, 64, 1}};
    const std::vector<int64_t> batches[] = {
        {}, {1}, {2}, {7}, {97}, {530}, {1, 2, 3, 5, 6, 7, 15, 16, 17, 33}, {1, 1, 1, 300},
        {30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30}};
    for (const Shape& shape : shapes) {
        for (const auto& lengths : batches) {
            for (int64_t hidden : {0, 4}) {
                if (!runs(shape, lengths, hidden)) return 1;
            }
        }
    }
    std::puts("done");
    return 0;
}
