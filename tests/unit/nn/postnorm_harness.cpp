// Runs the kernel on buffers of exactly the size they need, for the sanitizers to watch.

#include <cstdint>
#include <vector>

#include "harness.h"

struct Shared {
    int blocks, width, heads, head, inner, activation;
    float eps;
};

extern "C" int stelae_postnorm(
    Number*, const void* const*, const Shared*, const int64_t*, const int64_t*, const int64_t*,
    int64_t, const float*, int64_t, const Angles*, int, double*);

struct Block {
    Block(int width, int mixed, int inner)
        : qkv(width, 3 * mixed, INT8), out(mixed, width), gate(width, inner, INT8),
          up(width, inner, INT8), down(inner, width, INT8), out_norm(width), down_norm(width) {}
    void add_to(std::vector<const void*>& parts, bool gated) const {
        qkv.add_to(parts);
        out.add_to(parts);
        out_norm.add_to(parts);
        gate.add_to(parts, gated);
        up.add_to(parts);
        down.add_to(parts);
        down_norm.add_to(parts);
    }

    Layer qkv, out, gate, up, down;
    Norm out_norm, down_norm;
};

struct Shape {
    int width, heads, head, inner, blocks;
    bool turned;  // and gated
};

bool runs(const Shape& shape, const Batch& batch) {
    std::vector<Block> blocks;
    std::vector<const void*> parts;
    for (int i = 0; i < shape.blocks; ++i) blocks.emplace_back(shape.width, shape.heads * shape.head, shape.inner);
    for (const Block& block : blocks) block.add_to(parts, shape.turned);
    // Exactly those of the longest sequence, where all tokens are seen.
    const int64_t longest = batch.lengths.empty() ? 1 : batch.lengths.back(), reach = 2 * longest - 1;
    const std::vector<float> distances(shape.heads * reach, 0.25f);
    const float* added = batch.hidden == 0 ? distances.data() + longest - 1 : nullptr;
    const Table table(batch.lengths, shape.head / 2);
    const Angles angles = table.angles();
    const Shared shared{
        shape.blocks, shape.width, shape.heads, shape.head, shape.inner, 1, 1e-12f};
    return alike(batch.tokens * shape.width, [&](Number* x, int threads, double* spent) {
        return stelae_postnorm(
            x, parts.data(), &shared, batch.starts.data(), batch.lengths.data(), batch.seen.data(),
            batch.lengths.size(), added, reach, shape.turned ? &angles : nullptr, threads, spent);
    });
}

int main() {
    const Shape shapes[] = {
        {16, 1, 16, 2, 1, false}, {16, 8, 2, 34, 2, false}, {48, 3, 16, 130, 2, false},
        {112, 7, 16, 64, 1, false}, {16, 3, 10, 34, 2, true}};
    return all_run(shapes, runs);
}
