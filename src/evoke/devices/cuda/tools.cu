// evoke's own kernels on a GPU: the gate behind which a timed block waits,
// checksums of memory, and what makes caches and shared memory forget.
//
// tools.ptx is made from this file, so that no compiler is needed where a
// kernel runs:
//   nvcc --ptx -arch=compute_80 tools.cu, with its .version lowered to 7.8

typedef unsigned long long Word;

// One thread: holds the stream until the host sets `gate`, or `limit_ns` have
// passed.
extern "C" __global__ void evoke_hold(const volatile int* gate, Word limit_ns) {
  Word start, now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
  do {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (*gate == 0 && now - start < limit_ns);
}

__device__ __forceinline__ Word mixed(Word value, Word place) {
  value ^= (place + 1) * 0x9e3779b97f4a7c15ull;
  value *= 0xbf58476d1ce4e5b9ull;
  value ^= value >> 29;
  value *= 0x94d049bb133111ebull;
  return value ^ (value >> 32);
}

struct Bytes {
  const Word* data;  // 8-byte aligned
  Word bytes;
};

// Adds to sums[r] a number that depends on every byte of ranges[r] and its
// place; a row of the grid for each range.
extern "C" __global__ void evoke_checksums(const Bytes* ranges, Word* sums) {
  const Word* const data = ranges[blockIdx.y].data;
  const Word bytes = ranges[blockIdx.y].bytes;
  const Word step = (Word)gridDim.x * blockDim.x;
  Word total = 0;
  for (Word i = (Word)blockIdx.x * blockDim.x + threadIdx.x; i < bytes / 8;
       i += step) {
    total += mixed(data[i], i);
  }
  if (blockIdx.x == 0 && threadIdx.x < bytes % 8) {
    const Word at = bytes / 8 * 8 + threadIdx.x;
    total += mixed(((const unsigned char*)data)[at], at + 0x10000);
  }
  for (int lane = 16; lane > 0; lane /= 2) {
    total += __shfl_xor_sync(0xffffffffu, total, lane);
  }
  if (threadIdx.x % 32 == 0) atomicAdd(&sums[blockIdx.y], total);
}

// Reads memory once, so that caches hold it and nothing else.
extern "C" __global__ void evoke_read(const uint4* data, Word count,
                                      Word* sink) {
  const Word step = (Word)gridDim.x * blockDim.x;
  unsigned total = 0;
  for (Word i = (Word)blockIdx.x * blockDim.x + threadIdx.x; i < count;
       i += step) {
    const uint4 each = data[i];
    total ^= each.x ^ each.y ^ each.z ^ each.w;
  }
  // Never: what is read must only look used.
  if (total == 0x5bd1e995u && step == 1) *sink = total;
}

// Fills `words` of dynamic shared memory with ones: one block per SM that
// asks for all of it.
extern "C" __global__ void evoke_scrub(unsigned words) {
  extern __shared__ unsigned shared[];
  for (unsigned i = threadIdx.x; i < words; i += blockDim.x) {
    *(volatile unsigned*)&shared[i] = 0xffffffffu;
  }
}

// Occupies SMs for `limit_ns`: beside a kernel, some of its blocks start late.
extern "C" __global__ void evoke_occupy(Word limit_ns) {
  Word start, now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
  do {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (now - start < limit_ns);
}
