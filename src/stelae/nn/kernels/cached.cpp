// Attention of texts that grow: new tokens see themselves and all that their text had before,
// whose keys and values are kept. See attention.h.

// A text is read in pieces, as its neighbours leave room for them. In registers a token gets the
// same bits in any piece; tiles would take the long ones, and sum in another order.
#undef STELAE_TILES

#include "attention.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int64_t AT_ONCE = 42 * ROWS;  // queries of one task; keys are laid out for each

struct Task {
    int64_t text, head, first, count;  // queries from `first` on, among the new ones
};

// Puts new rows of one head behind those that are kept.
void keep(const Number* rows, int64_t stride, int64_t count, int width, Number* to) {
    for (int64_t i = 0; i < count; ++i) {
        std::memcpy(to + i * width, rows + i * stride, width * sizeof(Number));
    }
}

std::vector<Task> cut(const int64_t* counts, int64_t texts, int heads) {
    std::vector<Task> tasks;
    for (int64_t text = 0; text < texts; ++text) {
        for (int64_t first = 0; first < counts[text]; first += AT_ONCE) {
            const int64_t count = std::min(AT_ONCE, counts[text] - first);
            for (int head = 0; head < heads; ++head) tasks.push_back({text, head, first, count});
        }
    }
    return tasks;
}

// Queries of one head of keys, whose last is at the end of what is `seen`. A single one brings
// the heads that share these keys as rows, which see the same.
bool attend_task(
    const Number* q, const Number* keys, const Number* values, Number* out, int64_t count,
    int64_t seen, int served, Shape s) {
    if (count > 1) {
        s.first = seen - count;
        return attend_head(q, keys, values, out, seen, seen, served, s);
    }
    const int64_t hidden = s.before < 0 ? 0 : std::max<int64_t>(0, seen - 1 - s.before);
    s.q_stride = s.out_stride = s.width;
    s.before = s.after = -1;
    keys += hidden * s.width, values += hidden * s.width;
    return attend_head(q, keys, values, out, served, seen - hidden, 1, s);
}

}  // namespace

// New tokens of some texts, end to end: `counts` of each, from `starts` on. Pointers are to the
// first number of the first head; strides are in numbers, from one token to the next. `keys` and
// `values` of a text have place for `rooms` tokens a head, of which `kept` are there; those of the
// new ones are put behind them. Of its text a token sees `before` places before it, all if
// negative. Scaled scores s become cap tanh(s / cap), unless `cap` is 0. Returns 0, or 1 if memory
// ran out.
extern "C" int stelae_attend_cached(
    const Number* q, const Number* k, const Number* v, Number* out, int64_t q_stride,
    int64_t k_stride, int64_t v_stride, int64_t out_stride, const int64_t* starts,
    const int64_t* counts, const int64_t* kept, Number* const* keys, Number* const* values,
    const int64_t* rooms, int64_t texts, int heads, int kv_heads, int width, float scale,
    int64_t before, float cap, int threads) {
    const int served = heads / kv_heads;
    const Shape s{q_stride, width,  width, out_stride, width, scale * LOG2_E,
                  before,   0,      0,     cap * LOG2_E};
    const std::vector<Task> tasks = cut(counts, texts, kv_heads);
    const auto count = static_cast<int64_t>(tasks.size());
    int failed = 0;
#pragma omp parallel num_threads(threads) if (threads > 1 && count > 1)
    {
#pragma omp for schedule(static)
        for (int64_t i = 0; i < texts * kv_heads; ++i) {
            const int64_t text = i / kv_heads, head = i % kv_heads;
            const int64_t to = (head * rooms[text] + kept[text]) * width;
            keep(k + starts[text] * k_stride + head * width, k_stride, counts[text], width,
                 keys[text] + to);
            keep(v + starts[text] * v_stride + head * width, v_stride, counts[text], width,
                 values[text] + to);
        }
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < count; ++i) {
            const Task& task = tasks[i];
            const int64_t row = starts[task.text] + task.first;
            const int64_t of_head = task.head * rooms[task.text] * width;
            const bool done = attend_task(
                q + row * q_stride + task.head * served * width, keys[task.text] + of_head,
                values[task.text] + of_head, out + row * out_stride + task.head * served * width,
                task.count, kept[task.text] + task.first + task.count, served, s);
            if (!done) {
#pragma omp atomic write
                failed = 1;
            }
        }
    }
    return failed;
}
