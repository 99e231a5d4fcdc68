// A fixed piece of arithmetic that notices when the processor's clock, or a
// neighbour, changed between two looks.
#pragma once

namespace evoke::judge {

// Nanoseconds of the arithmetic: the best of several short tries, so that one
// interruption does not show. About 50 us altogether.
double probe_clock_ns();

}  // namespace evoke::judge
