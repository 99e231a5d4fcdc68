// Ctrl-C: the first one asks for a clean end, the second ends at once. Either
// way nothing recorded is lost: every step is durable when it is applied, and
// children die with their parent.
#pragma once

namespace evoke::cli {

// Installs the handlers for SIGINT and SIGTERM. Call once, before threads.
void watch_interrupts();
// Whether a clean end was asked for.
bool interrupted();

}  // namespace evoke::cli
