// Independent pieces of work on several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace evoke {

// Calls work(0) ... work(count - 1), each once, on this thread and up to
// `num_threads` - 1 others; returns when all are done. Which thread takes
// which piece is not said. What a piece throws is thrown here, once all
// threads have ended; of several, one.
void in_parallel(int num_threads, std::size_t count,
                 const std::function<void(std::size_t)>& work);

}  // namespace evoke
