// Memory that a thread works in.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

// Memory of one thread, grown when need be and kept.
class Scratch {
public:
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { free(); }

    // Room for so many bytes, whose contents are lost; false if there is none.
    bool grow(size_t wanted) {
        if (wanted <= size) return true;
        free();
        size = (wanted + 4095) / 4096 * 4096;
        memory = static_cast<char*>(std::aligned_alloc(64, size));
        if (memory == nullptr) size = 0;
        return memory != nullptr;
    }
    void free() {
        std::free(memory);
        memory = nullptr;
        size = 0;
    }
    char* start() const { return memory; }

private:
    char* memory = nullptr;
    size_t size = 0;
};

constexpr int64_t up(int64_t count, int64_t step) { return (count + step - 1) / step * step; }

}  // namespace
