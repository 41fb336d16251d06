// Blocks that normalise after each addition (Vaswani et al. 2017, section 3.1), on packed sequences:
// see stack.h for which thread does what. Sums, norms and the numbers that are added are float32.

#include "attention.h"
#include "parts.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

// What all blocks have in common.
struct Shared {
    int blocks, width, heads, head, inner, activation;
    float eps;
};

struct Block {
    Layer qkv, out;
    Norm out_norm;
    FeedForward inner;
    Norm down_norm;
};

struct PostNorm : Common {
    std::vector<Block> blocks;
    Shared shared;
    Distances distances;   // what is added to scores in every block
    const Angles* angles;  // of queries and keys; null where they are not turned

    void append(const Block& b) {
        blocks.push_back(b);
        make_ready_for(b.qkv);
        make_ready_for(b.out);
        b.inner.make_ready(*this);
    }
    double cost(int64_t length) const {
        const double layers = (blocks.empty() || !blocks[0].inner.gate ? 2.0 : 3.0) * sizes.inner;
        const double linear = 2.0 * sizes.width * (sizes.qkv + sizes.mixed + layers);
        return length * (linear + DEARER * 4.0 * sizes.mixed * length);
    }

    void begin(const Work&, int64_t) const {}
    void end(const Work&, int64_t) const {}

    // Queries, keys and values of some rows.
    void project(const Block& b, const Work& work, int64_t rows, const Room& room) const {
        multiply_to(*this, b.qkv, work.x, rows, room, work.qkv);
        if (angles == nullptr) return;
        const Timer timer(*this, ATTENTION);
        for (int64_t row = 0; row < rows; ++row) {
            const Angles here = angles->of(work.token + row, shared.head / 2);
            for (int head = 0; head < 2 * shared.heads; ++head) {
                Number* one = work.qkv + row * sizes.qkv + head * shared.head;
                turn(one, shared.head / 2, nullptr, 0.0f, here);
            }
        }
    }

    // One head of one sequence, which is all of the work.
    bool attend(const Block&, const Work& work, int64_t length, int64_t seen, int head) const {
        const int each = shared.head;
        const Shape shape{
            sizes.qkv, sizes.qkv, sizes.qkv, sizes.mixed, each, LOG2_E / std::sqrt(float(each)),
            -1, -1, each};
        const Number* q = work.qkv + head * each;
        return attend_head(
            q, q + sizes.mixed, q + 2 * sizes.mixed, work.mixed + head * each, length, seen, 1,
            shape, distances.from(head, each));
    }

    // What follows attention, in place of x.
    void rest(const Block& b, const Work& all, int64_t rows, const Room& room) const {
        const int64_t step = rows_at_once();
        for (int64_t first = 0; first < rows; first += step) {
            const int64_t here = std::min(step, rows - first);
            const Work work = all.from(first, sizes);
            add_layer(b.out, work.mixed, here, b.out_norm, work.x, room);
            b.inner.widen(*this, work.x, here, room);
            add_layer(b.inner.down, room.middle, here, b.down_norm, work.x, room);
        }
    }

    // Adds a layer of `from` to rows of x, and normalises them.
    void add_layer(
        const Layer& layer, const Number* from, int64_t rows, const Norm& norm, Number* x,
        const Room& room) const {
        multiply_all(*this, layer, from, rows, room, [&](const Tile& tile, const Panels& w) {
            tile.each(w, [&](int64_t row, int at, int count, Floats sum) {
                const int64_t place = row * sizes.width + at;
                store(room.sums + place, add(sum, load_some_numbers(x + place, count)));
            });
        });
        normalise_rows(*this, room.sums, rows, norm, shared.eps, x);
    }
};

}  // namespace

// Rows of x through all blocks, in place. Of each block there are, in `parts`, the linear layer to
// queries, keys and values, as quantised.h says, that behind attention, the scale and the shift of
// its norm, the feed-forward layers (gate, up, down; null where there is no gate) and their norm.
// `distances`, if not null, is what every block adds to scaled scores at distance 0 of the first
// head, with that of all that occur around it. `angles`, if not null, are what queries and keys
// are turned by. `spent`, if not null, gets the seconds of linear layers, attention and norms that
// the calling thread is on a processor for. Returns 0, or 1 if memory ran out.
extern "C" int stelae_postnorm(
    Number* x, const void* const* parts, const Shared* shared, const int64_t* starts,
    const int64_t* lengths, const int64_t* seen, int64_t count, const float* distances,
    int64_t distances_stride, const Angles* angles, int threads, double* spent) {
    const Shared& by = *shared;
    const int64_t mixed = int64_t(by.heads) * by.head;
    const Sizes sizes{by.width, 3 * mixed, mixed, 0, by.width, 0, by.inner};
    PostNorm s{{sizes, by.heads, spent}, {}, by, {distances, distances_stride}, angles};
    Reader reader(parts);
    for (int i = 0; i < by.blocks; ++i) {
        // Read in the order in which they are given.
        s.append(Block{
            reader.layer(by.width, sizes.qkv), reader.layer(mixed, by.width), reader.norm(),
            FeedForward(reader, by.width, by.inner, ACTIVATIONS[by.activation]), reader.norm()});
    }
    return run_all(s, {starts, lengths, seen, count}, x, threads) ? 0 : 1;
}
