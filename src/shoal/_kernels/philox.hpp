// Philox4x64-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3" (2011): a random word that is a pure function of key and row.
#pragma once

#include <cstdint>

namespace shoal {

// The first output word for key (seed, purpose) and counter (row, 0, 0, 0).
inline uint64_t philox(uint64_t seed, uint64_t purpose, uint64_t row) {
    uint64_t a = row, b = 0, c = 0, d = 0;
    for (int round = 0; round < 10; ++round) {
        const auto p = static_cast<unsigned __int128>(a) * 0xD2E7470EE14C6C93u;
        const auto q = static_cast<unsigned __int128>(c) * 0xCA5A826395121157u;
        a = static_cast<uint64_t>(q >> 64) ^ b ^ seed;
        b = static_cast<uint64_t>(q);
        c = static_cast<uint64_t>(p >> 64) ^ d ^ purpose;
        d = static_cast<uint64_t>(p);
        seed += 0x9E3779B97F4A7C15u;     // the golden ratio
        purpose += 0xBB67AE8584CAA73Bu;  // sqrt(3) - 1
    }
    return a;
}

}  // namespace shoal
