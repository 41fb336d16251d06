// Attention by itself; see attention.h.

#include "attention.h"

#include <cstdint>

// Attention of all sequences. Pointers are to the first number of the first head of the first
// token; strides are in numbers; lengths are in tokens; of its sequence a token sees `before` and
// `after` places on both sides, all if negative, and no key from `seen` on. Widths are whole
// cells. Scaled scores s become cap tanh(s / cap), unless `cap` is 0. `distances`, if not null, is
// what is then added at distance 0 of the first head, with that of all that occur around it. Returns
// 0, or 1 if memory ran out. So are products of queries with `distance_keys` and of keys with
// `distance_queries`, if not null: of a head, a row for each of so many distances, 0 in the middle.
extern "C" int stelae_attend(
    const Number* q, const Number* k, const Number* v, Number* out, int64_t q_stride,
    int64_t k_stride, int64_t v_stride, int64_t out_stride, const int64_t* starts,
    const int64_t* lengths, const int64_t* seen, int64_t sequences, int heads, int kv_heads,
    int width, float scale, int64_t before, int64_t after, float cap,
    const float* distances, int64_t distances_stride, const Number* distance_keys,
    const Number* distance_queries, int64_t distances_known, int threads) {
    const int served = heads / kv_heads;
    const int64_t tasks = sequences * kv_heads;
    const int64_t ahead = static_cast<int64_t>(width) * threads;
    const Shape s{
        q_stride, k_stride, v_stride, out_stride, width, scale * LOG2_E, before, after, ahead,
        cap * LOG2_E};
    const Distances by{
        distances, distances_stride, distance_keys, distance_queries, up(distances_known, LANES),
        distances_known / 2};
    int failed = 0;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1 && tasks > 1)
    for (int64_t task = tasks - 1; task >= 0; --task) {  // the longest, which come last, first
        const int64_t i = task / kv_heads, head = kv_heads - 1 - task % kv_heads;
        const bool done = attend_head(
            q + starts[i] * q_stride + head * served * width, k + starts[i] * k_stride + head * width,
            v + starts[i] * v_stride + head * width, out + starts[i] * out_stride + head * served * width,
            lengths[i], seen[i], served, s, by.from(head * served, width));
        if (!done) {
#pragma omp atomic write
            failed = 1;
        }
    }
    return failed;
}
