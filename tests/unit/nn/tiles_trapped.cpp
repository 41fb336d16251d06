// Instructions for tiles, carried out for a processor that has none where it refuses them: a part of
// a program, whose instructions are thereby tried as the compiler has made them. A processor that has
// tiles carries them out itself.

#include "tiles_model.h"

#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstring>

#include <dlfcn.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace {

// As the manual has them: volume 2, section 2.3 (VEX with three bytes), and the instructions.
enum Operation { CONFIGURE = 0x49, MOVE = 0x4b, MULTIPLY = 0x5c };
enum Prefix { NONE, OF_66, OF_F3, OF_F2 };

constexpr int REGISTERS[] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

struct Instruction {
    int prefix, operation, mode, reg, rm, other;
    int length = 5;
    char* address = nullptr;
    int64_t stride = 0;
};

// Where an instruction reads or writes memory. None here counts from its own place.
void find(Instruction& is, const uint8_t* at, bool far_base, bool far_index, const greg_t* values) {
    const bool indexed = (at[4] & 7) == 4;
    const uint8_t places = indexed ? at[is.length++] : at[4];
    const int index = (places >> 3 & 7) | far_index << 3;
    if (indexed && index != 4) is.stride = values[REGISTERS[index]] << (places >> 6);
    modelled::demand(is.mode != 0 || (places & 7) != 5);
    int64_t more = 0;
    if (is.mode == 1) more = static_cast<int8_t>(at[is.length++]);
    if (is.mode == 2) {
        int32_t wide;
        std::memcpy(&wide, at + is.length, sizeof wide);
        more = wide, is.length += sizeof wide;
    }
    is.address = reinterpret_cast<char*>(values[REGISTERS[(places & 7) | far_base << 3]] + more);
    modelled::demand(is.operation == CONFIGURE || indexed);
}

Instruction read(const greg_t* values) {
    const auto* at = reinterpret_cast<const uint8_t*>(values[REG_RIP]);
    modelled::demand(at[0] == 0xc4 && (at[1] & 0x1f) == 2 && (at[2] & 0x84) == 0);
    const bool far_base = !(at[1] & 0x20), far_index = !(at[1] & 0x40), far = !(at[1] & 0x80);
    Instruction is{at[2] & 3, at[3], at[4] >> 6, (at[4] >> 3 & 7) | far << 3,
                   (at[4] & 7) | far_base << 3, ~at[2] >> 3 & 15};
    if (is.mode != 3) find(is, at, far_base, far_index, values);
    modelled::demand(is.reg < modelled::TILES && is.other < modelled::TILES);
    return is;
}

void carry_out(const Instruction& is) {
    const bool in_memory = is.mode != 3;
    switch (is.operation << 4 | is.prefix << 1 | in_memory) {
        case CONFIGURE << 4 | NONE << 1 | 1: return modelled::take_tiles(is.address);
        case CONFIGURE << 4 | NONE << 1: return modelled::give_tiles_back();
        case CONFIGURE << 4 | OF_F2 << 1: return modelled::zero_numbers(is.reg);
        case MOVE << 4 | OF_F2 << 1 | 1:
            return modelled::load_numbers(is.reg, is.address, is.stride);
        case MOVE << 4 | OF_F3 << 1 | 1:
            return modelled::store_numbers(is.reg, is.address, is.stride);
        case MULTIPLY << 4 | OF_F3 << 1: return modelled::multiply_numbers(is.reg, is.rm, is.other);
        default: modelled::demand(false);
    }
}

void refused(int, siginfo_t*, void* context) {
    greg_t* values = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const Instruction is = read(values);
    carry_out(is);
    values[REG_RIP] += is.length;
}

[[gnu::constructor]] void begin() {
    struct sigaction action = {};
    action.sa_sigaction = refused;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &action, nullptr);
}

}  // namespace

// The system is asked, but need not know of tiles.
extern "C" long syscall(long number, ...) noexcept {
    long given[6];
    va_list list;
    va_start(list, number);
    for (long& one : given) one = va_arg(list, long);
    va_end(list);
    const auto real = reinterpret_cast<long (*)(long, ...)>(dlsym(RTLD_NEXT, "syscall"));
    const long result = real(number, given[0], given[1], given[2], given[3], given[4], given[5]);
    return number == SYS_arch_prctl ? 0 : result;
}
