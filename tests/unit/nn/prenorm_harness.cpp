// Runs the kernel on buffers of exactly the size they need, for the sanitizers to watch.

#include <cstdint>
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

bool runs(const Shape& shape, const Batch& batch) {
    std::vector<Block> blocks;
    std::vector<const void*> parts;
    const Table table(batch.lengths, shape.head / 2);
    const std::vector<Angles> angles(shape.blocks, table.angles());
    std::vector<int64_t> windows;
    for (int i = 0; i < shape.blocks; ++i) {
        blocks.emplace_back(shape);
        windows.insert(windows.end(), {shape.before, shape.after});
    }
    for (const Block& block : blocks) block.add_to(parts, shape, &block == &blocks[0]);
    const Norm last(shape.width);
    last.add_to(parts, true, shape.centred);
    const Shared shared{
        shape.blocks, shape.width, shape.heads, shape.kv_heads, shape.head, shape.inner, 5, 1e-6f,
        0.2f, shape.sandwich ? 2.0f : 0.0f};
    return alike(batch.tokens * shape.width, [&](Number* x, int threads, double* spent) {
        return stelae_prenorm(
            x, parts.data(), &shared, batch.starts.data(), batch.lengths.data(), batch.seen.data(),
            batch.lengths.size(), windows.data(), angles.data(), threads, spent);
    });
}

int main() {
    const Shape shapes[] = {
        {16, 1, 1, 2, 2, 1, -1, -1, true, false, false, false},
        {16, 4, 2, 10, 34, 2, -1, 0, true, false, true, false},
        {48, 3, 1, 36, 130, 2, 7, 7, false, true, true, true},
        {112, 2, 2, 16, 64, 1, 3, 0, true, true, false, true}};
    return all_run(shapes, runs);
}
