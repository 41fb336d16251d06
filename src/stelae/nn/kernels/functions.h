// Functions of registers of float32 that processors have no instruction for.

#pragma once

#include "registers.h"

namespace {

constexpr float LOG2_E = 1.44269504088896340736f;
constexpr float LEAST = -200.0f;  // a power of two below every float32

// (2 to the power of x, less 1) / x, for x from -1/2 to 1/2: the polynomial whose largest error,
// 2e-9 of the power, is least of degree 5.
inline Floats growth(Floats x) {
    Floats sum = all(1.53458124e-4f);
    sum = multiply_add(sum, x, all(1.33999309e-3f));
    sum = multiply_add(sum, x, all(9.61848907e-3f));
    sum = multiply_add(sum, x, all(5.55032864e-2f));
    sum = multiply_add(sum, x, all(2.40226462e-1f));
    return multiply_add(sum, x, all(6.93147182e-1f));
}

// 2 to the power of x, for x <= 128 and what is no number; error below 1e-7 of the value.
inline Floats power_of_two(Floats x) {
    x = larger(all(LEAST), x);
    const Floats whole = nearest(x);
    const Floats part = subtract(x, whole);
    return shift(multiply_add(growth(part), part, all(1.0f)), whole);
}

// The hyperbolic tangent: with y = exp(2 x) - 1, y / (y + 2). So y is computed by itself, which
// near 0 is exact to the last bits, where exp(2 x) is not. Above 10 it is 1, as rounded.
inline Floats hyperbolic_tangent(Floats x) {
    x = larger(all(LEAST), multiply(smaller(all(10.0f), x), all(2.0f * LOG2_E)));
    const Floats whole = nearest(x);
    const Floats part = subtract(x, whole), one = all(1.0f);
    const Floats rest = subtract(shift(one, whole), one);
    const Floats y = add(shift(multiply(growth(part), part), whole), rest);
    return divide(y, add(y, all(2.0f)));
}

// 1 / (1 + exp(-x)), where 2 to the power of 128 is infinite.
inline Floats sigmoid(Floats x) {
    const Floats power = power_of_two(smaller(all(128.0f), multiply(x, all(-LOG2_E))));
    return divide(all(1.0f), add(all(1.0f), power));
}

// x times the share of the normal distribution below x: less what lies above |x|, by Abramowitz
// and Stegun 1964, 7.1.26, whose error is below 1.5e-7. Above 20 lies nothing, and infinity times
// that would be no number.
inline Floats gelu(Floats x) {
    const Floats size = magnitude(smaller(all(20.0f), x));
    const Floats t = divide(
        all(1.0f), multiply_add(size, all(0.3275911f * 0.70710678118654752440f), all(1.0f)));
    Floats sum = all(0.5f * 1.061405429f);
    sum = multiply_add(sum, t, all(0.5f * -1.453152027f));
    sum = multiply_add(sum, t, all(0.5f * 1.421413741f));
    sum = multiply_add(sum, t, all(0.5f * -0.284496736f));
    sum = multiply_add(sum, t, all(0.5f * 0.254829592f));
    const Floats fall = power_of_two(multiply(multiply(x, x), all(-0.5f * LOG2_E)));
    const Floats above = multiply(multiply(sum, t), fall);
    return subtract(larger(all(0.0f), x), multiply(size, above));
}

// Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2, where the hyperbolic tangent of u is
// twice the sigmoid of 2 u, less 1.
inline Floats gelu_tanh(Floats x) {
    const Floats inner = multiply_add(multiply(multiply(x, x), x), all(0.044715f), x);
    return multiply(x, sigmoid(multiply(inner, all(2.0f * 0.79788456080286535588f))));
}

inline Floats quick_gelu(Floats x) { return multiply(x, sigmoid(multiply(x, all(1.702f)))); }
inline Floats relu(Floats x) { return larger(all(0.0f), x); }
inline Floats silu(Floats x) { return multiply(x, sigmoid(x)); }

// Applies a function to so many numbers, in whole registers.
template <Floats (*FUNCTION)(Floats)>
void apply(float* numbers, int count) {
    for (int at = 0; at < count; at += LANES) store(numbers + at, FUNCTION(load(numbers + at)));
}

// What is applied to the sums of a linear layer, in the order in which callers number them.
// Infinity stays infinity; of minus infinity come 0 (relu), itself (nothing) and no number (the
// others, as of 0 times infinity); of no number comes none.
using Activation = void (*)(float*, int);
inline void nothing(float*, int) {}
constexpr Activation ACTIVATIONS[] = {
    nothing, apply<gelu>, apply<gelu_tanh>, apply<quick_gelu>, apply<relu>, apply<silu>};

}  // namespace
