// Blocks of a transformer, one after another, on packed sequences: which thread does what.
//
// Sequences do not see each other. So a thread takes some of them through all blocks, and nobody
// waits for anybody until all are done; the longest are taken first, and fewer at a time towards
// the end. Only where that would leave threads without work, as with one long text, do they share
// the rows of all sequences, and wait for each other twice in a block. Either way a token gets the
// same bits, whatever its neighbours are.
//
// What a block is, a stack tells, which begins with what is in `Common`: `begin` and `end` of all
// blocks, and of each block `project` to queries, keys and values, `attend` within a sequence, and
// the `rest`.

#pragma once

#include "quantised.h"
#include "scratch.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <vector>

#include <omp.h>

namespace {

constexpr int64_t MOST = 512;      // rows that a thread takes through all blocks at once
constexpr int64_t LEAST_ROWS = 32;  // fewer would wait for weights
#ifdef STELAE_TILES
constexpr int64_t NEAR = 1 << 20;  // bytes of rows at work that stay near
constexpr double DEARER = 12.0;    // an operation of attention beside one of a linear layer
#else
constexpr int64_t NEAR = 512 << 10;
constexpr double DEARER = 3.0;
#endif
constexpr double UNEVEN = 1.1;     // share of the time that may be lost before rows are shared

struct Sequences {
    const int64_t *starts, *lengths, *seen;
    int64_t count;

    int64_t end(int64_t i) const { return starts[i] + lengths[i]; }
};

// Numbers of a row: of all rows that are taken through a block, and of those at work in a part of it.
struct Sizes {
    int64_t width, qkv, mixed, stream;
    int64_t sums, normed, inner;
};

// Rows that go through a block; each pointer is to the same first one.
struct Work {
    int64_t token;  // which it is of all
    Number *x, *qkv, *mixed;
    float* stream;  // between blocks, where that is kept in float32

    Work from(int64_t row, const Sizes& s) const {
        return {token + row, x + row * s.width, qkv + row * s.qkv, mixed + row * s.mixed,
                stream + row * s.stream};
    }
};

// Rows that are at work in a part of a block.
struct Room {
    float* sums;
    Number *normed, *middle;
    char* ready;  // for the rows of a layer as it multiplies them
};

enum Part { LINEARS, ATTENTION, NORMS };

// What stacks of all kinds have in common.
struct Common {
    Sizes sizes;
    int tasks;      // that attention of a sequence consists of
    double* spent;  // seconds by part, of the calling thread; null if nobody asks
    size_t ready = 0;  // bytes of a room for the rows of a layer as it multiplies them

    void make_ready_for(const Layer& layer) { ready = std::max(ready, room_of(layer)); }

    // The larger the block, the fewer rows, so that they stay near.
    int64_t rows_at_once() const {
        const int64_t bytes =
            (sizes.inner + sizes.normed) * sizeof(Number) + sizes.sums * sizeof(float);
        const int64_t least = (MANY + TOGETHER - 1) / TOGETHER * TOGETHER;
        return std::clamp<int64_t>(NEAR / bytes / TOGETHER * TOGETHER, least, BLOCK);
    }
};

// Seconds of the calling thread on a processor until it ends, if somebody asks.
class Timer {
public:
    Timer(const Common& s, Part part) {
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

thread_local Scratch room_scratch, rows_scratch;

bool lay(const Common& s, Room& room) {
    const int64_t rows = s.rows_at_once();
    const int64_t of_sums = up(rows * s.sizes.sums * sizeof(float), 64);
    const int64_t of_normed = up(rows * s.sizes.normed * sizeof(Number), 64);
    const int64_t of_middle = up(rows * s.sizes.inner * sizeof(Number), 64);
    if (!room_scratch.grow(of_sums + of_normed + of_middle + s.ready)) return false;
    char* start = room_scratch.start();
    room.sums = reinterpret_cast<float*>(start);
    room.normed = reinterpret_cast<Number*>(start += of_sums);
    room.middle = reinterpret_cast<Number*>(start += of_normed);
    room.ready = start + of_middle;
    return true;
}

// What so many rows of x, from the token on, need besides.
bool lay(const Common& s, int64_t token, int64_t rows, Number* x, Scratch& scratch, Work& work) {
    const int64_t of_stream = up(rows * s.sizes.stream * sizeof(float), 64);
    if (!scratch.grow(of_stream + rows * (s.sizes.qkv + s.sizes.mixed) * sizeof(Number))) {
        return false;
    }
    Number* qkv = reinterpret_cast<Number*>(scratch.start() + of_stream);
    work = {token, x + token * s.sizes.width, qkv, qkv + rows * s.sizes.qkv,
            reinterpret_cast<float*>(scratch.start())};
    return true;
}

struct Run {
    int64_t from, to;  // sequences
    double cost;
};

// What threads take one after another: the longest first, fewer at a time towards the end.
template <class Stack>
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

template <class Stack>
bool go_through(const Stack& s, const Sequences& all, const Run& run, Number* x) {
    const int64_t first = all.starts[run.from], rows = all.end(run.to - 1) - first;
    Room room;
    Work work;
    if (!lay(s, room) || !lay(s, first, rows, x, rows_scratch, work)) return false;
    bool done = true;
    s.begin(work, rows);
    for (const auto& block : s.blocks) {
        s.project(block, work, rows, room);
        {
            const Timer timer(s, ATTENTION);
            for (int64_t i = run.from; i < run.to; ++i) {
                const Work one = work.from(all.starts[i] - first, s.sizes);
                for (int task = 0; task < s.tasks; ++task) {
                    done &= s.attend(block, one, all.lengths[i], all.seen[i], task);
                }
            }
        }
        s.rest(block, work, rows, room);
    }
    s.end(work, rows);
    if (rows > MOST) rows_scratch.free();  // of a long text
    return done;
}

template <class Stack>
bool apart(
    const Stack& s, const Sequences& all, const std::vector<Run>& runs, Number* x, int threads) {
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

template <class Stack>
bool together(const Stack& s, const Sequences& all, Number* x, int threads) {
    const int64_t rows = all.end(all.count - 1), tasks = all.count * s.tasks;
    Scratch scratch;
    Work work;
    if (!lay(s, 0, rows, x, scratch, work)) return false;
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
        const Work own = work.from(from, s.sizes);
        s.begin(own, to - from);
        for (const auto& block : s.blocks) {
            if (unready) break;  // for all threads alike
            s.project(block, own, to - from, room);
#pragma omp barrier
#pragma omp for schedule(dynamic)
            for (int64_t task = 0; task < tasks; ++task) {
                const Timer timer(s, ATTENTION);
                const int64_t i = all.count - 1 - task / s.tasks;
                if (!s.attend(
                        block, work.from(all.starts[i], s.sizes), all.lengths[i], all.seen[i],
                        static_cast<int>(task % s.tasks))) {
#pragma omp atomic write
                    failed = 1;
                }
            }
            s.rest(block, own, to - from, room);
        }
        s.end(own, to - from);
    }
    return !unready && !failed;
}

// Rows of x through all blocks, in place; false if memory ran out.
template <class Stack>
bool run_all(const Stack& s, const Sequences& all, Number* x, int threads) {
    const std::vector<Run> runs = runs_of(s, all, threads);
    return threads > 1 && unevenness(runs, threads) > UNEVEN ? together(s, all, x, threads)
                                                             : apart(s, all, runs, x, threads);
}

}  // namespace
