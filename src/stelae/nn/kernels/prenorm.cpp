// Blocks that normalise what each part reads, as decoders and newer encoders do, with positions as
// angles: see stack.h for which thread does what.
//
// The sum of all parts, to which each adds, stays in float32 from the first block to the last norm.

#include "attention.h"
#include "parts.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

// What all blocks have in common.
struct Shared {
    int blocks, width, heads, kv_heads, head, inner, activation;
    float eps, scale, cap;  // of norms; of scores
};

struct Block {
    Norm attention_norm;
    Layer qkv;
    const float *q_norm, *k_norm;  // scales; null where heads are not normalised
    Layer out;
    Norm attention_after;
    Norm norm;
    FeedForward inner;
    Norm after;
    int64_t before, ahead;  // places that a token sees
    Angles angles;
};

struct PreNorm : Common {
    std::vector<Block> blocks;
    Shared shared;
    Norm last;

    void append(const Block& block) {
        blocks.push_back(block);
        make_ready_for(block.qkv);
        make_ready_for(block.out);
        block.inner.make_ready(*this);
        const bool apart = block.attention_after.scale != nullptr || block.after.scale != nullptr;
        if (apart) sizes.sums = sizes.width;  // what is normalised before it is added
    }
    double cost(int64_t length) const {
        const double layers = (blocks.empty() || !blocks[0].inner.gate ? 2.0 : 3.0) * sizes.inner;
        double pairs = 0.0;
        for (const Block& b : blocks) {
            const int64_t before = b.before < 0 ? length : std::min(length, b.before);
            const int64_t ahead = b.ahead < 0 ? length : std::min(length, b.ahead);
            pairs += std::min<double>(length, 0.5 * (before + ahead) + 1);
        }
        const double linear = 2.0 * sizes.width * (sizes.qkv + sizes.mixed + layers);
        return length * (linear * blocks.size() + DEARER * 4.0 * sizes.mixed * pairs);
    }

    void begin(const Work& work, int64_t rows) const {
        for (int64_t at = 0; at < rows * sizes.width; at += LANES) {
            store(work.stream + at, load_some_numbers(work.x + at, LANES));
        }
    }

    void end(const Work& work, int64_t rows) const {
        normalise_rows(*this, work.stream, rows, last, shared.eps, work.x);
    }

    void project(const Block& b, const Work& all, int64_t rows, const Room& room) const {
        const int64_t step = rows_at_once();
        for (int64_t first = 0; first < rows; first += step) {
            const int64_t here = std::min(step, rows - first);
            const Work work = all.from(first, sizes);
            normalise_rows(*this, work.stream, here, b.attention_norm, shared.eps, room.normed);
            multiply_to(*this, b.qkv, room.normed, here, room, work.qkv);
            turn_all(b, work, here);
        }
    }

    // Queries and keys of some rows.
    void turn_all(const Block& b, const Work& work, int64_t rows) const {
        const Timer timer(*this, ATTENTION);
        for (int64_t row = 0; row < rows; ++row) {
            const Angles here = b.angles.of(work.token + row, shared.head / 2);
            for (int head = 0; head < shared.heads + shared.kv_heads; ++head) {
                turn(work.qkv + row * sizes.qkv + head * shared.head, shared.head / 2,
                     head < shared.heads ? b.q_norm : b.k_norm, shared.eps, here);
            }
        }
    }

    // One head of keys of one sequence, which is all of the work.
    bool attend(const Block& b, const Work& work, int64_t length, int64_t seen, int head) const {
        const int each = shared.head, served = shared.heads / shared.kv_heads;
        const Shape shape{
            sizes.qkv, sizes.qkv, sizes.qkv, sizes.mixed, each, shared.scale * LOG2_E, b.before,
            b.ahead, each, shared.cap * LOG2_E};
        const Number* k = work.qkv + (shared.heads + head) * each;
        return attend_head(
            work.qkv + head * served * each, k, k + shared.kv_heads * each,
            work.mixed + head * served * each, length, seen, served, shape);
    }

    void rest(const Block& b, const Work& all, int64_t rows, const Room& room) const {
        const int64_t step = rows_at_once();
        for (int64_t first = 0; first < rows; first += step) {
            const int64_t here = std::min(step, rows - first);
            const Work work = all.from(first, sizes);
            add_layer(b.out, work.mixed, here, b.attention_after, work.stream, room);
            normalise_rows(*this, work.stream, here, b.norm, shared.eps, room.normed);
            b.inner.widen(*this, room.normed, here, room);
            add_layer(b.inner.down, room.middle, here, b.after, work.stream, room);
        }
    }

    // Adds a layer of `from` to the stream, normalised if there is a norm.
    void add_layer(
        const Layer& layer, const Number* from, int64_t rows, const Norm& after, float* stream,
        const Room& room) const {
        const bool alone = after.scale == nullptr;
        multiply_all(*this, layer, from, rows, room, [&](const Tile& tile, const Panels& w) {
            tile.each(w, [&](int64_t row, int at, int, Floats sum) {
                const int64_t place = row * sizes.width + at;
                if (alone) store(stream + place, add(sum, load(stream + place)));
                else store(room.sums + place, sum);
            });
        });
        if (alone) return;
        const Timer timer(*this, NORMS);
        for (int64_t row = 0; row < rows; ++row) {
            float* to = stream + row * sizes.width;
            const float* sums = room.sums + row * sizes.width;
            normalise(sums, sizes.width, after, shared.eps, [&](int64_t at, Floats y) {
                store(to + at, add(y, load(to + at)));
            });
        }
    }
};

Block block_of(
    Reader& reader, const Shared& by, const Sizes& sizes, const int64_t* window,
    const Angles& angles) {
    // Read in the order in which they are given.
    return Block{
        reader.norm(), reader.layer(by.width, sizes.qkv), reader.numbers(), reader.numbers(),
        reader.layer(sizes.mixed, by.width), reader.norm(), reader.norm(),
        FeedForward(reader, by.width, by.inner, ACTIVATIONS[by.activation]), reader.norm(),
        window[0], window[1], angles};
}

}  // namespace

// Rows of x through all blocks and a last norm, in place. Of each block there are, in `parts`, the
// scale and the shift of a norm; the linear layer to queries, keys and values, as quantised.h says;
// scales of the norms of queries and keys; the layer behind attention, its norm; the norm before the
// feed-forward layers, these (gate, up, down), their norm; behind all blocks the last norm. Scales
// are null where there is no norm, shifts where no mean is subtracted, a gate where there is none.
// `windows` has the places before and after it that a token sees in each block, all if negative;
// `angles` what queries and keys are turned by in each. `spent`, if not
// null, gets the seconds of linear layers, attention and norms that the calling thread is on a
// processor for. Returns 0, or 1 if memory ran out.
extern "C" int stelae_prenorm(
    Number* x, const void* const* parts, const Shared* shared, const int64_t* starts,
    const int64_t* lengths, const int64_t* seen, int64_t count, const int64_t* windows,
    const Angles* angles, int threads, double* spent) {
    const Shared& by = *shared;
    const int64_t mixed = int64_t(by.heads) * by.head, keys = int64_t(by.kv_heads) * by.head;
    const Sizes sizes{by.width, mixed + 2 * keys, mixed, by.width, 0, by.width, by.inner};
    PreNorm s{{sizes, by.kv_heads, spent}, {}, by, {}};
    Reader reader(parts);
    for (int i = 0; i < by.blocks; ++i) {
        s.append(block_of(reader, by, sizes, windows + 2 * i, angles[i]));
    }
    s.last = reader.norm();
    return run_all(s, {starts, lengths, seen, count}, x, threads) ? 0 : 1;
}
