// Parts of a block: linear layers, norms, feed-forward layers and angles of rows at work.

#pragma once

#include "functions.h"
#include "stack.h"

#include <cmath>
#include <optional>

namespace {

// What rows are multiplied by once they are normalised, and what is then added. Without a shift no
// mean is subtracted either (Zhang and Sennrich 2019, arXiv:1910.07467); without a scale rows stay
// as they are.
struct Norm {
    const float *scale, *shift;
};

// Pointers to what a stack consists of, in the order in which it is read.
class Reader {
public:
    explicit Reader(const void* const* parts) : parts(parts) {}

    const float* numbers() { return static_cast<const float*>(*parts++); }
    Norm norm() {
        const float* scale = numbers();
        return {scale, numbers()};
    }
    Layer layer(int64_t inputs, int64_t outputs) {
        parts += PARTS;
        return layer_of(parts - PARTS, static_cast<int>(inputs), static_cast<int>(outputs));
    }
    // None where its first pointer is null.
    std::optional<Layer> some_layer(int64_t inputs, int64_t outputs) {
        if (*parts != nullptr) return layer(inputs, outputs);
        parts += PARTS;
        return std::nullopt;
    }

private:
    const void* const* parts;
};

// Calls `take` with the place of some numbers of a row, in whole registers, and these normalised.
template <class Take>
void normalise(const float* row, int64_t width, const Norm& norm, float eps, const Take& take) {
    if (norm.scale == nullptr) {
        for (int64_t at = 0; at < width; at += LANES) take(at, load(row + at));
        return;
    }
    Floats mean = all(0.0f), square = all(0.0f);
    if (norm.shift != nullptr) {
        for (int64_t at = 0; at < width; at += LANES) mean = add(mean, load(row + at));
        mean = all(total_of(mean) / width);
    }
    for (int64_t at = 0; at < width; at += LANES) {
        const Floats apart = subtract(load(row + at), mean);
        square = multiply_add(apart, apart, square);
    }
    const Floats by = all(1.0f / std::sqrt(total_of(square) / width + eps));
    for (int64_t at = 0; at < width; at += LANES) {
        const Floats apart = multiply(subtract(load(row + at), mean), by);
        const Floats scale = load(norm.scale + at);
        take(at, norm.shift != nullptr ? multiply_add(apart, scale, load(norm.shift + at))
                                       : multiply(apart, scale));
    }
}

// Rows in float32, normalised to numbers.
void normalise_rows(
    const Common& s, const float* from, int64_t rows, const Norm& norm, float eps, Number* to) {
    const Timer timer(s, NORMS);
    const int64_t width = s.sizes.width;
    for (int64_t row = 0; row < rows; ++row) {
        normalise(from + row * width, width, norm, eps, [&](int64_t at, Floats y) {
            store_some_numbers(to + row * width + at, LANES, y);
        });
    }
}

// All of a layer, whichever kind it is: `finish` takes one tile of sums after another.
template <class Finish>
void multiply_all(
    const Common& s, const Layer& layer, const Number* x, int64_t rows, const Room& room,
    const Finish& finish) {
    const Timer timer(s, LINEARS);
    std::visit([&](const auto& w) {
        multiply_rows({x, w.inputs}, rows, w, 0, w.count(), room.ready, [&](Tile& tile) {
            finish(tile, w);
        });
    }, layer);
}

// Results of a layer as numbers, in rows side by side.
void multiply_to(
    const Common& s, const Layer& layer, const Number* x, int64_t rows, const Room& room,
    Number* to) {
    multiply_all(s, layer, x, rows, room, [&](const Tile& tile, const Panels& w) {
        tile.each(w, [&](int64_t row, int at, int count, Floats y) {
            store_some_numbers(to + row * w.outputs + at, count, y);
        });
    });
}

// Feed-forward layers: down(activation(up x)), or down(activation(gate x) * (up x)), where there is
// a gate (Shazeer 2020, arXiv:2002.05202).
struct FeedForward {
    std::optional<Layer> gate;
    Layer up, down;
    Activation activation;

    FeedForward(Reader& reader, int64_t width, int64_t inner, Activation activation)
        : gate(reader.some_layer(width, inner)), up(reader.layer(width, inner)),
          down(reader.layer(inner, width)), activation(activation) {}

    void make_ready(Common& s) const {
        if (gate) s.make_ready_for(*gate);
        s.make_ready_for(up);
        s.make_ready_for(down);
    }
    // What goes down, of rows of x.
    void widen(const Common& s, const Number* x, int64_t rows, const Room& room) const {
        multiply_all(s, gate ? *gate : up, x, rows, room, [&](Tile& tile, const Panels& w) {
            activation(tile.sums[0], tile.rows * PANEL);
            tile.each(w, [&](int64_t row, int at, int count, Floats y) {
                store_some_numbers(room.middle + row * w.outputs + at, count, y);
            });
        });
        if (!gate) return;
        multiply_all(s, up, x, rows, room, [&](const Tile& tile, const Panels& w) {
            tile.each(w, [&](int64_t row, int at, int count, Floats y) {
                Number* to = room.middle + row * w.outputs + at;
                store_some_numbers(to, count, multiply(y, load_some_numbers(to, count)));
            });
        });
    }
};

// What queries and keys are turned by: in rows of as many as a head has pairs of numbers.
struct Angles {
    const float *cos, *sin;
    const int64_t* places;  // row of each token

    // From the row of a token on.
    Angles of(int64_t token, int half) const {
        return {cos + places[token] * half, sin + places[token] * half, nullptr};
    }
};

inline Floats some_floats(const float* from, int count) {
    return as_floats(load_some(from, count));
}

// One head of a query or a key: normalised, where there is a scale for that, and its halves turned
// against each other (Su et al. 2021, arXiv:2104.09864).
inline void turn(Number* head, int half, const float* scale, float eps, const Angles& angles) {
    Floats by = all(1.0f);
    if (scale != nullptr) {
        Floats square = all(0.0f);
        for (int at = 0; at < half; at += LANES) {
            const int count = std::min(LANES, half - at);
            const Floats a = load_some_numbers(head + at, count);
            const Floats b = load_some_numbers(head + half + at, count);
            square = multiply_add(a, a, multiply_add(b, b, square));
        }
        by = all(1.0f / std::sqrt(total_of(square) / (2 * half) + eps));
    }
    for (int at = 0; at < half; at += LANES) {
        const int count = std::min(LANES, half - at);
        Floats a = load_some_numbers(head + at, count);
        Floats b = load_some_numbers(head + half + at, count);
        if (scale != nullptr) {
            a = multiply(multiply(a, by), some_floats(scale + at, count));
            b = multiply(multiply(b, by), some_floats(scale + half + at, count));
        }
        const Floats cos = some_floats(angles.cos + at, count);
        const Floats sin = some_floats(angles.sin + at, count);
        store_some_numbers(head + at, count, subtract(multiply(a, cos), multiply(b, sin)));
        store_some_numbers(head + half + at, count, multiply_add(b, cos, multiply(a, sin)));
    }
}

}  // namespace
