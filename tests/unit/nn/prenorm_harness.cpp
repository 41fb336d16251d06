// Runs the kernel on buffers of exactly the size they need, for the sanitizers to watch.

#include <cstdint>
#include <cstdio>
#include <vector>

#include "harness.h"

struct Shared {
    int blocks, width, heads, kv_heads, head, inner, activation;
    float eps, scale, cap;
};

extern "C" int stelae_prenorm(
    Number*, const void* const*, const Shared*, const int64_t*, const int64_t*, const int64_t*,
    int64_t, const int64_t*, const Angles*, int, double*);

struct Shape {
    int width, heads, kv_heads, head, inner, blocks;
    int64_t before, after;
    bool gated, centred, qk_norm, sandwich;
};

struct Block {
    explicit Block(const Shape& s)
        : qkv(s.width, (s.heads + 2 * s.kv_heads) * s.head, INT8), out(s.heads * s.head, s.width),
          gate(s.width, s.inner, INT8), up(s.width, s.inner, INT8), down(s.inner, s.width, INT8),
          norm(s.width), of_head(s.head, 0.5f) {}
    void add_to(std::vector<const void*>& parts, const Shape& s, bool first) const {
        norm.add_to(parts, s.sandwich || !first, s.centred);
        qkv.add_to(parts);
        for (int i = 0; i < 2; ++i) parts.push_back(s.qk_norm ? of_head.data() : nullptr);
        out.add_to(parts);
        norm.add_to(parts, s.sandwich, s.centred);
        norm.add_to(parts, true, s.centred);
        gate.add_to(parts, s.gated);
        up.add_to(parts);
        down.add_to(parts);
        norm.add_to(parts, s.sandwich, s.centred);
    }

    Layer qkv, out, gate, up, down;
    Norm norm;
    std::vector<float> of_head;
};

bool runs(const Shape& shape, const std::vector<int64_t>& lengths, int64_t hidden) {
    std::vector<Block> blocks;
    std::vector<const void*> parts;
    const Table table(lengths, shape.head / 2);
    const std::vector<Angles> angles(shape.blocks, table.angles());
    std::vector<int64_t> starts, seen, windows;
    for (int i = 0; i < shape.blocks; ++i) {
        blocks.emplace_back(shape);
        windows.insert(windows.end(), {shape.before, shape.after});
    }
    for (const Block& block : blocks) block.add_to(parts, shape, &block == &blocks[0]);
    const Norm last(shape.width);
    last.add_to(parts, true, shape.centred);
    int64_t tokens = 0;
    for (int64_t length : lengths) {
        starts.push_back(tokens);
        seen.push_back(length > hidden ? length - hidden : length);
        tokens += length;
    }
    const Shared shared{
        shape.blocks, shape.width, shape.heads, shape.kv_heads, shape.head, shape.inner, 5, 1e-6f,
        0.2f, shape.sandwich ? 2.0f : 0.0f};
    std::vector<Number> known;
    for (int threads : {1, 2, 5}) {
        auto x = numbers(tokens * shape.width);
        std::vector<double> spent(3);
        if (stelae_prenorm(
                x.data(), parts.data(), &shared, starts.data(), lengths.data(), seen.data(),
                lengths.size(), windows.data(), angles.data(), threads,
                threads == 1 ? spent.data() : nullptr)) {
            return false;
        }
        if (threads == 1) known = x;
        if (x != known) return false;
    }
    return true;
}

int main() {
    const Shape shapes[] = {
        {16, 1, 1, 2, 2, 1, -1, -1, true, false, false, false},
        {16, 4, 2, 10, 34, 2, -1, 0, true, false, true, false},
        {48, 3, 1, 36, 130, 2, 7, 7, false, true, true, true},
        {112, 2, 2, 16, 64, 1, 3, 0, true, true, false, true}};
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
