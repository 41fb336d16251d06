// Registers of float32, and the numbers that are multiplied in them: what a kernel needs of a
// processor, under one name for each that there is.
//
// The flags of the compiler choose: registers of AVX-512 where it is on, of AVX2 and FMA else;
// STELAE_BFLOAT16 chooses bfloat16 for the numbers, for which AVX512-BF16 must be on, float32
// else. Numbers are multiplied by cells of 32 bits: one float32, or two bfloat16 side by side.
// STELAE_INT8 adds whole numbers, four to a cell, for which AVX512-VNNI must be on.

#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstring>

// What must not be left apart: g++ 12 drops calls of functions that only fetch, and leaves loops
// apart that are called from several places.
#define INLINE [[gnu::always_inline]] inline
#define INLINED __attribute__((always_inline))  // of what has no name

namespace {

#ifdef __AVX512F__

constexpr int LANES = 16;  // float32 numbers, or cells, in a register
constexpr int WIDE = 4;    // registers of keys, or of outputs, beside the sums of six rows
using Floats = __m512;
using Cells = __m512i;

inline __mmask16 first(int count) { return static_cast<__mmask16>((1u << count) - 1); }
inline __mmask16 below(int end) {
    const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_cmplt_epi32_mask(places, _mm512_set1_epi32(end));
}

inline Floats all(float x) { return _mm512_set1_ps(x); }
inline Floats load(const float* from) { return _mm512_load_ps(from); }
inline void store(float* to, Floats x) { _mm512_store_ps(to, x); }
inline Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
inline Floats subtract(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
inline Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
inline Floats multiply_add(Floats a, Floats b, Floats sum) { return _mm512_fmadd_ps(a, b, sum); }
inline Floats divide(Floats a, Floats b) { return _mm512_div_ps(a, b); }
inline Floats magnitude(Floats x) { return _mm512_abs_ps(x); }
// The second where one is no number.
inline Floats larger(Floats a, Floats b) { return _mm512_max_ps(a, b); }
inline Floats smaller(Floats a, Floats b) { return _mm512_min_ps(a, b); }
inline Floats nearest(Floats x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// x times 2 to the power of a whole number.
inline Floats shift(Floats x, Floats power) { return _mm512_scalef_ps(x, power); }
// The numbers at the places from `start` to `end`, and minus infinity elsewhere.
inline Floats within(Floats x, int start, int end) {
    return _mm512_mask_mov_ps(all(-INFINITY), _kandn_mask16(below(start), below(end)), x);
}
inline float largest(Floats x) { return _mm512_reduce_max_ps(x); }
inline float total_of(Floats x) { return _mm512_reduce_add_ps(x); }

inline Cells all_cells(int32_t x) { return _mm512_set1_epi32(x); }
inline Cells load_cells(const void* from) { return _mm512_load_si512(from); }
inline void store_cells(void* to, Cells x) { _mm512_store_si512(to, x); }
inline Cells as_cells(Floats x) { return _mm512_castps_si512(x); }
inline Floats as_floats(Cells x) { return _mm512_castsi512_ps(x); }
// The first cells of `from`, which need not be aligned, and zeros.
inline Cells load_some(const void* from, int count) {
    return _mm512_maskz_loadu_epi32(first(count), from);
}
inline void store_some(void* to, int count, Cells x) {
    _mm512_mask_storeu_epi32(to, first(count), x);
}

#ifdef STELAE_INT8

inline Cells add_cells(Cells a, Cells b) { return _mm512_add_epi32(a, b); }
inline Cells multiply_cells(Cells a, Cells b) { return _mm512_mullo_epi32(a, b); }
inline int32_t first_of(Cells x) { return _mm512_cvtsi512_si32(x); }
// The nearest whole numbers, the even one of two; of what has none the least that there is.
inline Cells whole(Floats x) { return _mm512_cvtps_epi32(x); }
inline Floats converted(Cells x) { return _mm512_cvtepi32_ps(x); }
// Whole numbers as bytes, 0 or 255 where they lie below or above.
inline void store_bytes(uint8_t* to, Cells x) {
    const __m128i bytes = _mm512_cvtusepi32_epi8(_mm512_max_epi32(x, _mm512_setzero_si512()));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
}
// Adds the products of the four bytes of each cell: from 0 to 255 in `a`, from -128 in `b`.
// For the intrinsic, g++ 12 copies sums from register to register, and to memory and back.
inline Cells dot_bytes(Cells sum, Cells a, Cells b) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}

#endif

// As many rows of cells as a register has become columns.
inline void transpose(Cells r[LANES]) {
    Cells t[LANES];
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

#else

constexpr int LANES = 8;
constexpr int WIDE = 2;
using Floats = __m256;
using Cells = __m256i;

inline __m256i below(int end) {
    const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(end), places);
}

inline Floats all(float x) { return _mm256_set1_ps(x); }
inline Floats load(const float* from) { return _mm256_load_ps(from); }
inline void store(float* to, Floats x) { _mm256_store_ps(to, x); }
inline Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
inline Floats subtract(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
inline Floats multiply(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
inline Floats multiply_add(Floats a, Floats b, Floats sum) { return _mm256_fmadd_ps(a, b, sum); }
inline Floats divide(Floats a, Floats b) { return _mm256_div_ps(a, b); }
inline Floats magnitude(Floats x) { return _mm256_andnot_ps(all(-0.0f), x); }
inline Floats larger(Floats a, Floats b) { return _mm256_max_ps(a, b); }
inline Floats smaller(Floats a, Floats b) { return _mm256_min_ps(a, b); }
inline Floats nearest(Floats x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Floats shift(Floats x, Floats power) {
    // The exponent's bits; from -127 down they are 0, and so is the number.
    const __m256i whole = _mm256_max_epi32(_mm256_cvtps_epi32(power), _mm256_set1_epi32(-127));
    const __m256i bits = _mm256_slli_epi32(_mm256_add_epi32(whole, _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(x, _mm256_castsi256_ps(bits));
}
inline Floats within(Floats x, int start, int end) {
    const __m256i seen = _mm256_andnot_si256(below(start), below(end));
    return _mm256_blendv_ps(all(-INFINITY), x, _mm256_castsi256_ps(seen));
}
inline float largest(Floats x) {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}
inline float total_of(Floats x) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

inline Cells all_cells(int32_t x) { return _mm256_set1_epi32(x); }
inline Cells load_cells(const void* from) {
    return _mm256_load_si256(static_cast<const __m256i*>(from));
}
inline void store_cells(void* to, Cells x) { _mm256_store_si256(static_cast<__m256i*>(to), x); }
inline Cells as_cells(Floats x) { return _mm256_castps_si256(x); }
inline Floats as_floats(Cells x) { return _mm256_castsi256_ps(x); }
inline Cells load_some(const void* from, int count) {
    if (count == LANES) return _mm256_loadu_si256(static_cast<const __m256i*>(from));
    return _mm256_maskload_epi32(static_cast<const int*>(from), below(count));
}
inline void store_some(void* to, int count, Cells x) {
    if (count == LANES) return _mm256_storeu_si256(static_cast<__m256i*>(to), x);
    _mm256_maskstore_epi32(static_cast<int*>(to), below(count), x);
}

inline void transpose(Cells r[LANES]) {
    Cells t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; ++i) {
        t[i] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x31);
    }
    for (int i = 0; i < LANES; ++i) r[i] = t[i];
}

#endif

// Brings what will soon be read or written near; of any address, as it reads nothing. That is all
// that it does, so calls of it would be dropped as without effect.
INLINE void fetch(const void* from) { _mm_prefetch(static_cast<const char*>(from), _MM_HINT_T0); }
INLINE void fetch_soon(const void* from) {  // not as near
    _mm_prefetch(static_cast<const char*>(from), _MM_HINT_T1);
}

// A cell on all lanes, of numbers that need not be aligned.
inline Cells cell_at(const void* from) {
    int32_t cell;
    std::memcpy(&cell, from, sizeof cell);
    return all_cells(cell);
}

#ifdef STELAE_BFLOAT16

using Number = uint16_t;
constexpr int PER_CELL = 2;

// Adds the products of the numbers of each cell.
inline Floats dot(Floats sum, Cells a, Cells b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}
inline __m256i rounded(Floats x) { return (__m256i)_mm512_cvtneps_pbh(x); }
inline void store_numbers(Number* to, Floats x) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), rounded(x));
}
inline void store_some_numbers(Number* to, int count, Floats x) {
    _mm256_mask_storeu_epi16(to, first(count), rounded(x));
}
// The first numbers of `from`, and zeros.
inline Floats load_some_numbers(const Number* from, int count) {
    const __m256i some = _mm256_maskz_loadu_epi16(first(count), from);
    return as_floats(_mm512_slli_epi32(_mm512_cvtepu16_epi32(some), 16));
}
// Cells of the numbers of PER_CELL rows, of which `there` are there: the first of each, the
// second of each, and so on.
inline Cells interleave(const Number* row, int64_t stride, int64_t there, int count) {
    const __m512i low = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4,
        19, 3, 18, 2, 17, 1, 16, 0);
    const __m256i upper = _mm256_maskz_loadu_epi16(first(count), row);
    const __m256i lower = there > 1 ? _mm256_maskz_loadu_epi16(first(count), row + stride)
                                    : _mm256_setzero_si256();
    const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(upper), lower, 1);
    return _mm512_permutexvar_epi16(low, both);
}

#else

using Number = float;
constexpr int PER_CELL = 1;

inline Floats dot(Floats sum, Cells a, Cells b) {
    return multiply_add(as_floats(a), as_floats(b), sum);
}
inline void store_numbers(Number* to, Floats x) { store(to, x); }
inline void store_some_numbers(Number* to, int count, Floats x) {
    store_some(to, count, as_cells(x));
}
inline Floats load_some_numbers(const Number* from, int count) {
    return as_floats(load_some(from, count));
}
inline Cells interleave(const Number* row, int64_t, int64_t, int count) {
    return load_some(row, count);
}

#endif

}  // namespace
