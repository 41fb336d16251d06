// What the programs share that run kernels on buffers of exactly the size they need.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "registers.h"

#if defined(STELAE_TILES) && !defined(STELAE_TILES_MODEL)
#include <sys/syscall.h>
#include <unistd.h>

// A program may use tiles once it has asked for them; see tiles.cpp.
const bool may_use_tiles = syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#endif

// A number from 0.5 to 1, or from -1 to -0.5.
inline Number number(size_t i) {
    const uint32_t upper = 0x3f00 + i % 97 + (i % 3 ? 0 : 0x8000);  // of a float32
    if (PER_CELL == 2) return static_cast<Number>(upper);
    const uint32_t bits = upper << 16;
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return static_cast<Number>(x);
}

inline std::vector<Number> numbers(size_t count, size_t every = 1) {
    std::vector<Number> made(count);
    for (size_t i = 0; i < count; ++i) made[i] = number(i * every);
    return made;
}

// Memory that begins where registers are read from, and ends with its last number.
template <class Kind>
class Aligned {
public:
    explicit Aligned(size_t count) {
        if (posix_memalign(reinterpret_cast<void**>(&start), 64, count * sizeof(Kind))) std::abort();
    }
    Aligned(Aligned&& other) : start(other.start) { other.start = nullptr; }
    ~Aligned() { std::free(start); }

    Kind* start = nullptr;
};

#ifdef STELAE_INT8
constexpr bool INT8 = true;  // whether layers may be quantised
#else
constexpr bool INT8 = false;
#endif

// A linear layer, laid out as quantised.h says.
struct Layer {
    Layer(int inputs, int outputs, bool quantised = false)
        : inputs(inputs), outputs(outputs), quantised(quantised), panels(cells() * 4 * padded()),
          bias(padded()), scales(padded()), totals(padded()), smoothing((inputs + 15) / 16 * 16) {
        const size_t bytes = cells() * 4 * padded();
        for (size_t i = 0; i < bytes; ++i) panels.start[i] = static_cast<char>(i % 255 - 127);
        if (!quantised) {
            auto* weights = reinterpret_cast<Number*>(panels.start);
            for (size_t i = 0; i < bytes / sizeof(Number); ++i) weights[i] = number(i * 5);
        }
        for (size_t i = 0; i < padded(); ++i) {
            bias.start[i] = 0.25f, scales.start[i] = 0.01f, totals.start[i] = 3;
        }
        for (int i = 0; i < (inputs + 15) / 16 * 16; ++i) smoothing.start[i] = 1.5f;
    }
    size_t padded() const {
        const size_t panel = WIDE * LANES;
        return (outputs + panel - 1) / panel * panel;
    }
    size_t cells() const { return quantised ? (inputs + 3) / 4 : inputs / PER_CELL; }
    std::vector<const void*> parts() const {
        if (!quantised) return {panels.start, bias.start, nullptr, nullptr, nullptr};
        return {panels.start, bias.start, scales.start, totals.start, smoothing.start};
    }

    void add_to(std::vector<const void*>& all, bool there = true) const {
        for (const void* one : parts()) all.push_back(there ? one : nullptr);
    }

    int inputs, outputs;
    bool quantised;
    Aligned<char> panels;
    Aligned<float> bias, scales;
    Aligned<int32_t> totals;
    Aligned<float> smoothing;
};

// What a norm multiplies by and adds.
struct Norm {
    explicit Norm(int width) : scale(width), shift(width) {
        for (int i = 0; i < width; ++i) scale.start[i] = 0.5f, shift.start[i] = 0.125f;
    }
    void add_to(std::vector<const void*>& all, bool there = true, bool centred = true) const {
        all.push_back(there ? scale.start : nullptr);
        all.push_back(there && centred ? shift.start : nullptr);
    }

    Aligned<float> scale, shift;
};

// As parts.h has it.
struct Angles {
    const float *cos, *sin;
    const int64_t* places;
};

// Angles of the places that sequences of some lengths have, and no more.
struct Table {
    Table(const std::vector<int64_t>& lengths, int half) {
        int64_t longest = 0;
        for (int64_t length : lengths) {
            for (int64_t place = 0; place < length; ++place) places.push_back(place);
            longest = length > longest ? length : longest;
        }
        cos.assign(longest * half, 0.6f);
        sin.assign(longest * half, 0.8f);
    }
    Angles angles() const { return {cos.data(), sin.data(), places.data()}; }

    std::vector<float> cos, sin;
    std::vector<int64_t> places;
};

// Where sequences lie that follow each other, and how many tokens of each are seen.
struct Batch {
    // All tokens of short sequences are seen; of others, all but some last ones.
    Batch(const std::vector<int64_t>& lengths, int64_t hidden) : lengths(lengths), hidden(hidden) {
        for (int64_t length : lengths) {
            starts.push_back(tokens);
            seen.push_back(length > hidden ? length - hidden : length);
            tokens += length;
        }
    }

    std::vector<int64_t> starts, lengths, seen;
    int64_t hidden, tokens = 0;
};

// Whether blocks give token vectors the same bits by any number of threads, and do not fail.
// `run` takes the vectors, how many threads there are, and where time is counted.
template <class Run>
bool alike(size_t count, Run run) {
    std::vector<Number> known;
    for (int threads : {1, 2, 5}) {
        auto x = numbers(count);
        std::vector<double> spent(3);
        if (run(x.data(), threads, threads == 1 ? spent.data() : nullptr)) return false;
        if (threads == 1) known = x;
        if (x != known) return false;
    }
    return true;
}

// Runs blocks of all shapes over batches of all kinds; the status to exit with.
template <class Shape, size_t count>
int all_run(const Shape (&shapes)[count], bool (*runs)(const Shape&, const Batch&)) {
    const std::vector<int64_t> batches[] = {
        {}, {1}, {2}, {7}, {97}, {530}, {1, 2, 3, 5, 6, 7, 15, 16, 17, 33}, {1, 1, 1, 300},
        {30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30}};
    for (const Shape& shape : shapes) {
        for (const auto& lengths : batches) {
            for (int64_t hidden : {0, 4}) {
                if (!runs(shape, Batch(lengths, hidden))) return 1;
            }
        }
    }
    std::puts("done");
    return 0;
}
