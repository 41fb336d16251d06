// Softmax attention over packed sequences in bfloat16, for processors with AVX512-BF16.
//
// One task is one sequence and one head of keys. It lays keys and values out once in pairs,
// as the dot-product instruction wants them, and then takes six queries at a time through
// scores, softmax and weighted sum, so that nothing larger than a tile of scores is held.
// Scores, softmax and sums are in float32; weights are rounded to bfloat16 before the sum, as
// in the library's own kernel. What a sequence gets does not depend on its neighbours.
//
// The online softmax over tiles of keys is that of Milakov and Gimelshein 2018
// (arXiv:1805.02867) and Dao et al. 2022 (arXiv:2205.14135).

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int LANES = 16;         // float32 numbers in a register
constexpr int ROWS = 6;           // queries at a time
constexpr int WIDE = 4;           // registers of keys, or of outputs, at a time
constexpr int64_t TILE = 256;     // keys whose scores are held at a time
constexpr float LOG2_E = 1.44269504088896340736f;
constexpr float LEAST = -200.0f;  // a power of two below every float32

using bf16 = uint16_t;

// Memory of one thread, grown when need be and kept.
struct Scratch {
    void* memory = nullptr;
    size_t size = 0;
    ~Scratch() { std::free(memory); }
    bool grow(size_t wanted) {
        if (wanted <= size) return true;
        std::free(memory);
        size = (wanted + 4095) / 4096 * 4096;
        memory = std::aligned_alloc(64, size);
        if (memory == nullptr) size = 0;
        return memory != nullptr;
    }
};

thread_local Scratch scratch;

struct Shape {
    int64_t q_stride, k_stride, v_stride, out_stride;  // numbers from one token to the next
    int width;                                         // of a head, a multiple of 16
    float scale;                                       // times log2(e)
    int64_t before, after;                             // places that a token sees; all if < 0
};

// 2 to the power of x, for x <= 0; error below 1e-7 of the value.
inline __m512 power_of_two(__m512 x) {
    x = _mm512_max_ps(x, _mm512_set1_ps(LEAST));
    const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 part = _mm512_sub_ps(x, whole);
    // Taylor's series of 2^x around 0; on [-1/2, 1/2] its next term is below 2e-7.
    __m512 sum = _mm512_set1_ps(1.5403530e-4f);
    sum = _mm512_fmadd_ps(sum, part, _mm512_set1_ps(1.3333558e-3f));
    sum = _mm512_fmadd_ps(sum, part, _mm512_set1_ps(9.6181291e-3f));
    sum = _mm512_fmadd_ps(sum, part, _mm512_set1_ps(5.5504109e-2f));
    sum = _mm512_fmadd_ps(sum, part, _mm512_set1_ps(2.4022651e-1f));
    sum = _mm512_fmadd_ps(sum, part, _mm512_set1_ps(6.9314718e-1f));
    sum = _mm512_fmadd_ps(sum, part, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(sum, whole);
}

// Sixteen rows of sixteen 32-bit numbers become columns.
inline void transpose(__m512i r[LANES]) {
    __m512i t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; ++i) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; ++i) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

// Keys of one head: per sixteen keys, per pair of numbers, sixteen pairs side by side.
void lay_out_keys(const bf16* k, int64_t stride, int64_t seen, int width, bf16* to) {
    const int pairs = width / 2;
    for (int64_t first = 0; first < seen; first += LANES) {
        const int count = static_cast<int>(std::min<int64_t>(LANES, seen - first));
        for (int pair = 0; pair < pairs; pair += LANES) {
            const int there = std::min(LANES, pairs - pair);
            const __mmask16 mask = static_cast<__mmask16>((1u << there) - 1);
            __m512i rows[LANES];
            for (int i = 0; i < LANES; ++i) {
                rows[i] = i < count ? _mm512_maskz_loadu_epi32(
                                          mask, k + (first + i) * stride + 2 * pair)
                                    : _mm512_setzero_si512();
            }
            transpose(rows);
            for (int i = 0; i < there; ++i) {
                _mm512_store_si512(to + (first / LANES * pairs + pair + i) * 2 * LANES, rows[i]);
            }
        }
    }
}

// Values of one head: per pair of tokens, the numbers of both side by side.
void lay_out_values(const bf16* v, int64_t stride, int64_t seen, int width, bf16* to) {
    const __m512i low = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4,
        19, 3, 18, 2, 17, 1, 16, 0);
    for (int64_t first = 0; first < seen; first += 2) {
        for (int at = 0; at < width; at += LANES) {
            const auto* upper = v + first * stride + at;
            const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(upper));
            const __m256i b =
                first + 1 < seen
                    ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(upper + stride))
                    : _mm256_setzero_si256();
            const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
            _mm512_store_si512(to + first * width + 2 * at, _mm512_permutexvar_epi16(low, both));
        }
    }
}

inline int pair_at(const bf16* from) {
    int both;
    std::memcpy(&both, from, sizeof both);
    return both;
}

// Scores of R queries and 16 N keys: `to` has TILE numbers a row.
template <int R, int N>
void scores(const bf16* q, const Shape& s, const bf16* keys, float* to) {
    const int pairs = s.width / 2;
    __m512 sums[R][N];
    for (auto& row : sums) {
        for (auto& sum : row) sum = _mm512_setzero_ps();
    }
    for (int pair = 0; pair < pairs; ++pair) {
        __m512bh block[N];
        for (int n = 0; n < N; ++n) {
            block[n] = (__m512bh)_mm512_load_si512(keys + (n * pairs + pair) * 2 * LANES);
        }
        for (int r = 0; r < R; ++r) {
            const auto query = (__m512bh)_mm512_set1_epi32(pair_at(q + r * s.q_stride + 2 * pair));
            for (int n = 0; n < N; ++n) {
                sums[r][n] = _mm512_dpbf16_ps(sums[r][n], query, block[n]);
            }
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int n = 0; n < N; ++n) _mm512_store_ps(to + r * TILE + n * LANES, sums[r][n]);
    }
}

template <int R>
void all_scores(const bf16* q, const Shape& s, const bf16* keys, int blocks, float* to) {
    const int64_t step = static_cast<int64_t>(s.width) * LANES;
    int block = 0;
    for (; block + WIDE <= blocks; block += WIDE) {
        scores<R, WIDE>(q, s, keys + block * step, to + block * LANES);
    }
    switch (blocks - block) {
        case 3: scores<R, 3>(q, s, keys + block * step, to + block * LANES); break;
        case 2: scores<R, 2>(q, s, keys + block * step, to + block * LANES); break;
        case 1: scores<R, 1>(q, s, keys + block * step, to + block * LANES); break;
        default: break;
    }
}

// Scores of one query, from `hidden` to `seen`, become weights; returns what the sums so far are
// to be multiplied by.
float weigh(
    float* row, int hidden, int seen, float scale, float& highest, float& total, bf16* weights) {
    const __m512 minus = _mm512_set1_ps(-INFINITY);
    for (int i = 0; i < hidden; i += LANES) {
        const int gone = std::min(LANES, hidden - i);
        _mm512_mask_store_ps(row + i, static_cast<__mmask16>((1u << gone) - 1), minus);
    }
    const int last = seen / LANES * LANES;
    const __mmask16 rest = static_cast<__mmask16>((1u << (seen - last)) - 1);
    __m512 most = minus;
    for (int i = 0; i < last; i += LANES) most = _mm512_max_ps(most, _mm512_load_ps(row + i));
    if (rest) most = _mm512_max_ps(most, _mm512_mask_load_ps(minus, rest, row + last));
    const float now = std::max(highest, _mm512_reduce_max_ps(most) * scale);
    const float fading = highest == -INFINITY ? 0.0f : std::exp2(highest - now);
    const __m512 by = _mm512_set1_ps(scale), less = _mm512_set1_ps(-now);
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < last; i += LANES) {
        const __m512 e = power_of_two(_mm512_fmadd_ps(_mm512_load_ps(row + i), by, less));
        sum = _mm512_add_ps(sum, e);
        _mm256_store_si256(reinterpret_cast<__m256i*>(weights + i), (__m256i)_mm512_cvtneps_pbh(e));
    }
    if (rest) {
        const __m512 score = _mm512_maskz_load_ps(rest, row + last);
        const __m512 all = power_of_two(_mm512_fmadd_ps(score, by, less));
        const __m512 e = _mm512_maskz_mov_ps(rest, all);
        sum = _mm512_add_ps(sum, e);
        _mm256_store_si256(
            reinterpret_cast<__m256i*>(weights + last), (__m256i)_mm512_cvtneps_pbh(e));
    }
    total = total * fading + _mm512_reduce_add_ps(sum);
    highest = now;
    return fading;
}

// Adds the weighted values of `pairs` pairs of tokens to the sums of R queries, 16 N numbers each.
template <int R, int N>
void sum_up(
    const bf16* weights, const bf16* values, int pairs, const Shape& s, const float* fading,
    float* to) {
    __m512 sums[R][N];
    for (int r = 0; r < R; ++r) {
        const __m512 fade = _mm512_set1_ps(fading[r]);
        for (int n = 0; n < N; ++n) {
            sums[r][n] = _mm512_mul_ps(_mm512_load_ps(to + r * s.width + n * LANES), fade);
        }
    }
    for (int pair = 0; pair < pairs; ++pair) {
        __m512bh block[N];
        for (int n = 0; n < N; ++n) {
            block[n] = (__m512bh)_mm512_load_si512(
                values + static_cast<int64_t>(pair) * 2 * s.width + n * 2 * LANES);
        }
        for (int r = 0; r < R; ++r) {
            const auto weight = (__m512bh)_mm512_set1_epi32(pair_at(weights + r * TILE + 2 * pair));
            for (int n = 0; n < N; ++n) {
                sums[r][n] = _mm512_dpbf16_ps(sums[r][n], weight, block[n]);
            }
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int n = 0; n < N; ++n) _mm512_store_ps(to + r * s.width + n * LANES, sums[r][n]);
    }
}

template <int R>
void all_sums(
    const bf16* weights, const bf16* values, int pairs, const Shape& s, const float* fading,
    float* to) {
    int at = 0;
    for (; at + WIDE * LANES <= s.width; at += WIDE * LANES) {
        sum_up<R, WIDE>(weights, values + 2 * at, pairs, s, fading, to + at);
    }
    switch ((s.width - at) / LANES) {
        case 3: sum_up<R, 3>(weights, values + 2 * at, pairs, s, fading, to + at); break;
        case 2: sum_up<R, 2>(weights, values + 2 * at, pairs, s, fading, to + at); break;
        case 1: sum_up<R, 1>(weights, values + 2 * at, pairs, s, fading, to + at); break;
        default: break;
    }
}

// What the six rows at work need besides keys and values.
struct Bench {
    float* scores;   // ROWS x TILE
    bf16* weights;   // ROWS x TILE
    float* sums;     // ROWS x width
};

// R queries from `row` on, through all keys that they see.
template <int R>
void attend_rows(
    const bf16* q, const bf16* keys, const bf16* values, int64_t row, int64_t seen, const Shape& s,
    const Bench& bench, bf16* out) {
    float highest[R], total[R], fading[R];
    std::fill(highest, highest + R, -INFINITY);
    std::fill(total, total + R, 0.0f);
    std::fill(bench.sums, bench.sums + R * s.width, 0.0f);
    const auto lowest = [&](int64_t at) {
        return s.before < 0 ? 0 : std::max<int64_t>(0, at - s.before);
    };
    const auto end = [&](int64_t at) {
        return s.after < 0 ? seen : std::min(seen, at + s.after + 1);
    };
    const int64_t most = end(row + R - 1);
    for (int64_t first = lowest(row) / LANES * LANES; first < most; first += TILE) {
        const int there = static_cast<int>(std::min(TILE, most - first));
        const int blocks = (there + LANES - 1) / LANES;
        all_scores<R>(q, s, keys + first * s.width, blocks, bench.scores);
        for (int r = 0; r < R; ++r) {
            const int64_t hidden = std::max<int64_t>(0, lowest(row + r) - first);
            const int64_t sees = std::min<int64_t>(there, end(row + r) - first);
            bf16* weights = bench.weights + r * TILE;
            if (sees <= hidden) {  // a tile that only others of the six see
                std::fill(weights, weights + blocks * LANES, 0);
                fading[r] = 1.0f;
                continue;
            }
            fading[r] = weigh(
                bench.scores + r * TILE, static_cast<int>(hidden), static_cast<int>(sees), s.scale,
                highest[r], total[r], weights);
            std::fill(weights + (sees + LANES - 1) / LANES * LANES, weights + blocks * LANES, 0);
        }
        all_sums<R>(
            bench.weights, values + first * s.width, (there + 1) / 2, s, fading, bench.sums);
    }
    for (int r = 0; r < R; ++r) {
        const __m512 share = _mm512_set1_ps(total[r] > 0.0f ? 1.0f / total[r] : 0.0f);
        for (int at = 0; at < s.width; at += LANES) {
            const __m512 sum = _mm512_load_ps(bench.sums + r * s.width + at);
            _mm256_storeu_si256(
                reinterpret_cast<__m256i*>(out + r * s.out_stride + at),
                (__m256i)_mm512_cvtneps_pbh(_mm512_mul_ps(sum, share)));
        }
    }
}

void attend_some(
    int count, const bf16* q, const bf16* keys, const bf16* values, int64_t row, int64_t seen,
    const Shape& s, const Bench& bench, bf16* out) {
    switch (count) {
        case 6: attend_rows<6>(q, keys, values, row, seen, s, bench, out); break;
        case 5: attend_rows<5>(q, keys, values, row, seen, s, bench, out); break;
        case 4: attend_rows<4>(q, keys, values, row, seen, s, bench, out); break;
        case 3: attend_rows<3>(q, keys, values, row, seen, s, bench, out); break;
        case 2: attend_rows<2>(q, keys, values, row, seen, s, bench, out); break;
        default: attend_rows<1>(q, keys, values, row, seen, s, bench, out); break;
    }
}

size_t up(int64_t bytes) { return static_cast<size_t>((bytes + 63) / 64 * 64); }

// One sequence, one head of keys, and the heads of queries that it serves.
bool attend_head(
    const bf16* q, const bf16* k, const bf16* v, bf16* out, int64_t length, int64_t seen,
    int served, const Shape& s) {
    const int64_t padded = (seen + LANES - 1) / LANES * LANES;
    const size_t of_keys = up(padded * s.width * 2), of_scores = up(ROWS * TILE * 4);
    const size_t of_weights = up(ROWS * TILE * 2), of_sums = up(ROWS * s.width * 4);
    if (!scratch.grow(2 * of_keys + of_scores + of_weights + of_sums)) return false;
    auto* at = static_cast<char*>(scratch.memory);
    auto* keys = reinterpret_cast<bf16*>(at);
    auto* values = reinterpret_cast<bf16*>(at += of_keys);
    Bench bench;
    bench.scores = reinterpret_cast<float*>(at += of_keys);
    bench.weights = reinterpret_cast<bf16*>(at += of_scores);
    bench.sums = reinterpret_cast<float*>(at += of_weights);
    lay_out_keys(k, s.k_stride, seen, s.width, keys);
    lay_out_values(v, s.v_stride, seen, s.width, values);
    for (int head = 0; head < served; ++head) {
        const bf16* queries = q + head * s.width;
        bf16* mixed = out + head * s.width;
        for (int64_t row = 0; row < length; row += ROWS) {
            const int count = static_cast<int>(std::min<int64_t>(ROWS, length - row));
            attend_some(
                count, queries + row * s.q_stride, keys, values, row, seen, s, bench,
                mixed + row * s.out_stride);
        }
    }
    return true;
}

}  // namespace

// Attention of all sequences. Pointers are to the first number of the first head of the first
// token; strides are in numbers; lengths are in tokens; of its sequence a token sees `before` and
// `after` places on both sides, all if negative, and no key from `seen` on. Returns 0, or 1 if
// memory ran out.
extern "C" int stelae_attend(
    const bf16* q, const bf16* k, const bf16* v, bf16* out, int64_t q_stride, int64_t k_stride,
    int64_t v_stride, int64_t out_stride, const int64_t* starts, const int64_t* lengths,
    const int64_t* seen, int64_t sequences, int heads, int kv_heads, int width, float scale,
    int64_t before, int64_t after, int threads) {
    const Shape s{q_stride, k_stride, v_stride, out_stride, width, scale * LOG2_E, before, after};
    const int served = heads / kv_heads;
    const int64_t tasks = sequences * kv_heads;
    int failed = 0;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1 && tasks > 1)
    for (int64_t task = tasks - 1; task >= 0; --task) {  // the longest, which come last, first
        const int64_t i = task / kv_heads, head = task % kv_heads;
        const bool done = attend_head(
            q + starts[i] * q_stride + head * served * width, k + starts[i] * k_stride + head * width,
            v + starts[i] * v_stride + head * width, out + starts[i] * out_stride + head * served * width,
            lengths[i], seen[i], served, s);
        if (!done) {
#pragma omp atomic write
            failed = 1;
        }
    }
    return failed;
}
