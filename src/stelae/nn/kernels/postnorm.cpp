// Blocks that normalise after each addition (Vaswani et al. 2017, section 3.1), one after another,
// on packed sequences.
//
// Sequences do not see each other. So a thread takes some of them through all blocks, and nobody
// waits for anybody until all are done; the longest are taken first, and fewer at a time towards
// the end. Only where that would leave threads without work, as with one long text, do they share
// the rows of all sequences, and wait for each other twice in a block. Either way a token gets the
// same bits, whatever its neighbours are. Sums, norms and the numbers that are added are float32.

#include "attention.h"
#include "functions.h"
#include "products.h"
#include "quantised.h"
#include "registers.h"
#include "scratch.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <vector>

#include <omp.h>

namespace {

constexpr int64_t MOST = 512;      // rows that a thread takes through all blocks at once
constexpr int64_t LEAST_ROWS = 32;  // fewer would wait for weights
constexpr double DEARER = 3.0;     // an operation of attention beside one of a linear layer
constexpr double UNEVEN = 1.1;     // share of the time that may be lost before rows are shared

struct Block {
    Layer qkv, out;
    const float *out_scale, *out_shift;  // of the norm behind
    Layer up, down;
    const float *down_scale, *down_shift;
};

struct Sequences {
    const int64_t *starts, *lengths, *seen;
    int64_t count;

    int64_t end(int64_t i) const { return starts[i] + lengths[i]; }
};

enum Part { LINEARS, ATTENTION, NORMS };

struct Stack {
    std::vector<Block> blocks;
    int width, heads, inner;
    float eps;
    Activation activation;
    double* spent;  // seconds by part, of the calling thread; null if nobody asks
    Distances distances = {};  // what is added to scores in every block
    size_t ready = 0;  // bytes of a room for the rows of a layer as it multiplies them

    void add(const Block& b) {
        blocks.push_back(b);
        for (const Layer* layer : {&b.qkv, &b.out, &b.up, &b.down}) {
            ready = std::max(ready, room_of(*layer));
        }
    }
    double cost(int64_t length) const {
        const double linear = 2.0 * width * (4.0 * width + 2.0 * inner);
        return length * (linear + DEARER * 4.0 * width * length);
    }
};

// Seconds of the calling thread on a processor until it ends, if somebody asks.
class Timer {
public:
    Timer(const Stack& s, Part part) {
        if (s.spent == nullptr || omp_get_thread_num() != 0) return;
        spent = s.spent + part;
        began = now();
    }
    ~Timer() {
        if (spent != nullptr) *spent += now() - began;
    }

private:
    static double now() {
        timespec time;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return time.tv_sec + 1e-9 * time.tv_nsec;
    }
    double* spent = nullptr;
    double began = 0.0;
};

// Rows of a block that are at work between its norms.
struct Room {
    float* sums;     // rows x width
    Number* middle;  // rows x inner
    char* ready;     // for the rows of a layer as it multiplies them
};

// The larger the block, the fewer rows, so that they stay near.
int64_t rows_at_once(const Stack& s) {
    const int64_t near = (512 << 10) / (s.inner * sizeof(Number) + s.width * sizeof(float));
    return std::clamp<int64_t>(near / TOGETHER * TOGETHER, 4 * TOGETHER, BLOCK);
}

void normalise(
    const float* row, int width, const float* scale, const float* shift, float eps, Number* to) {
    Floats sum = all(0.0f);
    for (int at = 0; at < width; at += LANES) sum = add(sum, load(row + at));
    const Floats mean = all(total_of(sum) / width);
    Floats square = all(0.0f);
    for (int at = 0; at < width; at += LANES) {
        const Floats apart = subtract(load(row + at), mean);
        square = multiply_add(apart, apart, square);
    }
    const Floats by = all(1.0f / std::sqrt(total_of(square) / width + eps));
    for (int at = 0; at < width; at += LANES) {
        const Floats apart = multiply(subtract(load(row + at), mean), by);
        store_some_numbers(
            to + at, LANES, multiply_add(apart, load(scale + at), load(shift + at)));
    }
}

// All of a layer, whichever kind it is.
template <class Finish>
void multiply_all(
    const Layer& layer, const Number* x, int64_t rows, const Room& room, const Finish& finish) {
    std::visit([&](const auto& w) {
        multiply_rows({x, w.inputs}, rows, w, 0, w.count(), room.ready, [&](Tile& tile) {
            finish(tile, w);
        });
    }, layer);
}

// Queries, keys and values of some rows.
void project(
    const Stack& s, const Block& b, const Number* x, int64_t rows, const Room& room, Number* qkv) {
    const Timer timer(s, LINEARS);
    const int64_t stride = 3 * s.width;
    multiply_all(b.qkv, x, rows, room, [&](const Tile& tile, const Panels& w) {
        tile.each(w, [&](int64_t row, int at, int count, Floats sum) {
            store_some_numbers(qkv + row * stride + at, count, sum);
        });
    });
}

// One head of one sequence, whose first row is that of `qkv` and `mixed`.
bool attend(const Stack& s, const Number* qkv, int64_t length, int64_t seen, int head, Number* mixed) {
    const int each = s.width / s.heads;
    const int64_t stride = 3 * s.width;
    const Shape shape{
        stride, stride, stride, s.width, each, LOG2_E / std::sqrt(float(each)), -1, -1, each};
    const Number* q = qkv + head * each;
    return attend_head(
        q, q + s.width, q + 2 * s.width, mixed + head * each, length, seen, 1, shape,
        s.distances.from(head, each));
}

// Adds a linear layer of `from` to rows of x, and normalises them.
void add_and_normalise(
    const Stack& s, const Layer& layer, const Number* from, int64_t rows, const float* scale,
    const float* shift, Number* x, const Room& room) {
    {
        const Timer timer(s, LINEARS);
        multiply_all(layer, from, rows, room, [&](const Tile& tile, const Panels& w) {
            tile.each(w, [&](int64_t row, int at, int count, Floats sum) {
                const int64_t place = row * s.width + at;
                store(room.sums + place, add(sum, load_some_numbers(x + place, count)));
            });
        });
    }
    const Timer timer(s, NORMS);
    for (int64_t row = 0; row < rows; ++row) {
        normalise(room.sums + row * s.width, s.width, scale, shift, s.eps, x + row * s.width);
    }
}

// What follows attention, in place of x.
void rest(
    const Stack& s, const Block& b, const Number* mixed, Number* x, int64_t rows, const Room& room) {
    const int64_t step = rows_at_once(s);
    for (int64_t first = 0; first < rows; first += step) {
        const int64_t here = std::min(step, rows - first);
        Number* at_work = x + first * s.width;
        add_and_normalise(
            s, b.out, mixed + first * s.width, here, b.out_scale, b.out_shift, at_work, room);
        {
            const Timer timer(s, LINEARS);
            multiply_all(b.up, at_work, here, room, [&](Tile& tile, const Panels& w) {
                s.activation(tile.sums[0], tile.rows * PANEL);
                tile.each(w, [&](int64_t row, int at, int count, Floats y) {
                    store_some_numbers(room.middle + row * s.inner + at, count, y);
                });
            });
        }
        add_and_normalise(
            s, b.down, room.middle, here, b.down_scale, b.down_shift, at_work, room);
    }
}

thread_local Scratch room_scratch, rows_scratch;

bool lay(const Stack& s, Room& room) {
    const int64_t rows = rows_at_once(s);
    const int64_t of_sums = up(rows * s.width * sizeof(float), 64);
    const int64_t of_middle = up(rows * s.inner * sizeof(Number), 64);
    if (!room_scratch.grow(of_sums + of_middle + s.ready)) return false;
    room.sums = reinterpret_cast<float*>(room_scratch.start());
    room.middle = reinterpret_cast<Number*>(room_scratch.start() + of_sums);
    room.ready = room_scratch.start() + of_sums + of_middle;
    return true;
}

// Queries, keys, values and results of attention, of so many rows.
bool lay(const Stack& s, int64_t rows, Scratch& scratch, Number*& qkv, Number*& mixed) {
    if (!scratch.grow(4 * rows * s.width * sizeof(Number))) return false;
    qkv = reinterpret_cast<Number*>(scratch.start());
    mixed = qkv + 3 * rows * s.width;
    return true;
}

struct Run {
    int64_t from, to;  // sequences
    double cost;
};

// What threads take one after another: the longest first, fewer at a time towards the end.
std::vector<Run> runs_of(const Stack& s, const Sequences& all, int threads) {
    double left = 0.0;
    for (int64_t i = 0; i < all.count; ++i) left += s.cost(all.lengths[i]);
    std::vector<Run> runs;
    for (int64_t to = all.count; to > 0;) {
        const double wanted = threads == 1 ? left : left / (2 * threads);
        Run run{to, to, 0.0};
        int64_t rows = 0;
        do {
            --run.from;
            rows += all.lengths[run.from];
            run.cost += s.cost(all.lengths[run.from]);
        } while (run.from > 0 && rows + all.lengths[run.from - 1] <= MOST &&
                 (run.cost < wanted || rows < LEAST_ROWS));
        left -= run.cost;
        to = run.from;
        runs.push_back(run);
    }
    return runs;
}

// How much longer the last thread works than all would if they ended together.
double unevenness(const std::vector<Run>& runs, int threads) {
    std::vector<double> busy(threads, 0.0);
    double whole = 0.0;
    for (const Run& run : runs) {
        *std::min_element(busy.begin(), busy.end()) += run.cost;
        whole += run.cost;
    }
    return *std::max_element(busy.begin(), busy.end()) * threads / whole;
}

bool go_through(const Stack& s, const Sequences& all, const Run& run, Number* x) {
    const int64_t first = all.starts[run.from], rows = all.end(run.to - 1) - first;
    Room room;
    Number *qkv, *mixed;
    if (!lay(s, room) || !lay(s, rows, rows_scratch, qkv, mixed)) return false;
    x += first * s.width;
    bool done = true;
    for (const Block& b : s.blocks) {
        project(s, b, x, rows, room, qkv);
        {
            const Timer timer(s, ATTENTION);
            for (int64_t i = run.from; i < run.to; ++i) {
                const int64_t at = all.starts[i] - first;
                for (int head = 0; head < s.heads; ++head) {
                    done &= attend(
                        s, qkv + at * 3 * s.width, all.lengths[i], all.seen[i], head,
                        mixed + at * s.width);
                }
            }
        }
        rest(s, b, mixed, x, rows, room);
    }
    if (rows > MOST) rows_scratch.free();  // of a long text
    return done;
}

bool apart(const Stack& s, const Sequences& all, const std::vector<Run>& runs, Number* x, int threads) {
    int failed = 0;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1 && runs.size() > 1)
    for (size_t i = 0; i < runs.size(); ++i) {
        if (!go_through(s, all, runs[i], x)) {
#pragma omp atomic write
            failed = 1;
        }
    }
    return !failed;
}

bool together(const Stack& s, const Sequences& all, Number* x, int threads) {
    const int64_t rows = all.end(all.count - 1), tasks = all.count * s.heads;
    Scratch scratch;
    Number *qkv, *mixed;
    if (!lay(s, rows, scratch, qkv, mixed)) return false;
    int unready = 0, failed = 0;
#pragma omp parallel num_threads(threads)
    {
        Room room;
        if (!lay(s, room)) {
#pragma omp atomic write
            unready = 1;
        }
#pragma omp barrier
        // Whole groups of rows, as they go through the panels, for as many threads as came.
        const int64_t groups = (rows + TOGETHER - 1) / TOGETHER;
        const int64_t thread = omp_get_thread_num(), here = omp_get_num_threads();
        const int64_t from = std::min(rows, groups * thread / here * TOGETHER);
        const int64_t to = std::min(rows, groups * (thread + 1) / here * TOGETHER);
        for (const Block& b : s.blocks) {
            if (unready) break;  // for all threads alike
            project(s, b, x + from * s.width, to - from, room, qkv + from * 3 * s.width);
#pragma omp barrier
#pragma omp for schedule(dynamic)
            for (int64_t task = 0; task < tasks; ++task) {
                const Timer timer(s, ATTENTION);
                const int64_t i = all.count - 1 - task / s.heads, at = all.starts[i];
                if (!attend(s, qkv + at * 3 * s.width, all.lengths[i], all.seen[i],
                            static_cast<int>(task % s.heads), mixed + at * s.width)) {
#pragma omp atomic write
                    failed = 1;
                }
            }
            rest(s, b, mixed + from * s.width, x + from * s.width, to - from, room);
        }
    }
    return !unready && !failed;
}

}  // namespace

// Rows of x through all blocks, in place. Of each block there are 24 pointers: those of the four
// linear layers, as quantised.h says, and behind the second and the fourth the scale and the shift
// of their norms. `distances`, if not null, is what every block adds to scaled scores at distance 0 of
// the first head, with that of all that occur around it. `spent`, if not null, gets the seconds of
// linear layers, attention and norms that the calling thread is on a processor for. Returns 0, or 1
// if memory ran out.
extern "C" int stelae_postnorm(
    Number* x, const void* const* parts, int blocks, int width, int heads, int inner,
    int activation, float eps, const int64_t* starts, const int64_t* lengths, const int64_t* seen,
    int64_t count, const float* distances, int64_t distances_stride, int threads, double* spent) {
    const Distances by{distances, distances_stride};
    Stack s{{}, width, heads, inner, eps, ACTIVATIONS[activation], spent, by};
    for (int i = 0; i < blocks; ++i) {
        const auto layer = [&](int inputs, int outputs) {
            parts += PARTS;
            return layer_of(parts - PARTS, inputs, outputs);
        };
        const auto numbers = [&] { return static_cast<const float*>(*parts++); };
        // Read in the order in which they are given.
        s.add(Block{
            layer(width, 3 * width), layer(width, width), numbers(), numbers(),
            layer(width, inner), layer(inner, width), numbers(), numbers()});
    }
    const Sequences all{starts, lengths, seen, count};
    const std::vector<Run> runs = runs_of(s, all, threads);
    const bool done = threads > 1 && unevenness(runs, threads) > UNEVEN
                          ? together(s, all, x, threads)
                          : apart(s, all, runs, x, threads);
    return done ? 0 : 1;
}
