// Synchronisation on Hopper: mbarriers, named barriers, clusters, proxy fences,
// dependent launches and the redistribution of registers.
#pragma once

#include "types.h"

// ---------------------------------------------------------------- mbarrier

// An mbarrier is a uint64_t in shared memory. It counts arrivals and, with
// `expect`, the bytes of asynchronous copies; when both are complete its phase
// flips. A waiter names the parity of the phase it waits for: 0 first.
EVOKE_DEVICE void mbarrier_init(uint64_t* barrier, uint32_t arrivals) {
  asm volatile(
      "mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(arrivals)
      : "memory");
}
// Makes initialised mbarriers visible to the copy engine and the cluster.
EVOKE_DEVICE void mbarrier_fence_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
EVOKE_DEVICE void mbarrier_arrive(uint64_t* barrier) {
  asm volatile(
      "mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
      : "memory");
}
// Arrives, and says how many bytes of copies complete the phase.
EVOKE_DEVICE void mbarrier_arrive_expect(uint64_t* barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                   shared_address(barrier)),
               "r"(bytes)
               : "memory");
}
// Arrives at the barrier at the same place in block `rank` of the cluster.
EVOKE_DEVICE void mbarrier_arrive_remote(uint64_t* barrier, uint32_t rank) {
  asm volatile(
      "{\n.reg .b32 remote;\nmapa.shared::cluster.u32 remote, %0, %1;\n"
      "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [remote];\n}" ::
          "r"(shared_address(barrier)),
      "r"(rank)
      : "memory");
}
EVOKE_DEVICE bool mbarrier_try_wait(uint64_t* barrier, uint32_t parity) {
  uint32_t done;
  asm volatile(
      "{\n.reg .pred p;\n"
      "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
      "selp.u32 %0, 1, 0, p;\n}"
      : "=r"(done)
      : "r"(shared_address(barrier)), "r"(parity)
      : "memory");
  return done != 0;
}
EVOKE_DEVICE void mbarrier_wait(uint64_t* barrier, uint32_t parity) {
  while (!mbarrier_try_wait(barrier, parity)) {
  }
}
// The same where what is waited for was written by other blocks of the
// cluster.
EVOKE_DEVICE void mbarrier_wait_cluster(uint64_t* barrier, uint32_t parity) {
  uint32_t done;
  do {
    asm volatile(
        "{\n.reg .pred p;\n"
        "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], "
        "%2;\n"
        "selp.u32 %0, 1, 0, p;\n}"
        : "=r"(done)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  } while (done == 0);
}

// ----------------------------------------------------------- named barriers

// Barriers 1 to 15 (0 is __syncthreads) among `threads` threads, a multiple of
// 32. `arrive` does not wait.
EVOKE_DEVICE void named_barrier_sync(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
EVOKE_DEVICE void named_barrier_arrive(int barrier, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// ----------------------------------------------------------------- clusters

EVOKE_DEVICE uint32_t cluster_rank() {
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
EVOKE_DEVICE uint32_t cluster_blocks() {
  uint32_t blocks;
  asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(blocks));
  return blocks;
}
// All threads of all blocks of the cluster: arrive, later wait. Shared memory
// written before `arrive` is visible after `wait`.
EVOKE_DEVICE void cluster_arrive() {
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}
// The same without that promise and without what it costs: after
// mbarrier_fence_init(), when all that the others need to see are barriers.
EVOKE_DEVICE void cluster_arrive_relaxed() {
  asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
}
EVOKE_DEVICE void cluster_wait() {
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
EVOKE_DEVICE void cluster_sync() {
  cluster_arrive();
  cluster_wait();
}
// The shared::cluster address of the same place in block `rank`.
EVOKE_DEVICE uint32_t remote_address(const void* pointer, uint32_t rank) {
  uint32_t address;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;"
               : "=r"(address)
               : "r"(shared_address(pointer)), "r"(rank));
  return address;
}
EVOKE_DEVICE float load_remote(uint32_t address) {
  float x;
  asm volatile("ld.shared::cluster.f32 %0, [%1];"
               : "=f"(x)
               : "r"(address)
               : "memory");
  return x;
}
EVOKE_DEVICE void store_remote(uint32_t address, float x) {
  asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(address), "f"(x)
               : "memory");
}
// Stores without waiting; each counts its bytes at `barrier`, an address in
// the same block as `address`.
EVOKE_DEVICE void store_remote_async(uint32_t address, float x,
                                     uint32_t barrier) {
  asm volatile(
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, "
      "[%2];" ::"r"(address),
      "r"(__float_as_uint(x)), "r"(barrier)
      : "memory");
}
EVOKE_DEVICE void store_remote_async(uint32_t address, Vector16 v,
                                     uint32_t barrier) {
  asm volatile(
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], "
      "{%1, %2, %3, %4}, [%5];" ::"r"(address),
      "r"(v.word[0]), "r"(v.word[1]), "r"(v.word[2]), "r"(v.word[3]),
      "r"(barrier)
      : "memory");
}

// ------------------------------------------------------------------- fences

// Before the copy engine or wgmma reads shared memory that ordinary stores
// wrote: in each writing thread, then a barrier.
EVOKE_DEVICE void fence_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// -------------------------------------------- dependent launches, registers

// Waits until the launches before this one are complete and visible (`pdl`).
EVOKE_DEVICE void wait_for_previous_launch() {
  asm volatile("griddepcontrol.wait;" ::: "memory");
}
// Lets the next launch start; it still waits for this one's memory.
EVOKE_DEVICE void allow_next_launch() {
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

// By all warps of a warpgroup, in a kernel with max_threads and min_blocks:
// gives registers back, or takes them. `count`: 24 to 256, a multiple of 8.
template <int count>
EVOKE_DEVICE void release_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count>
EVOKE_DEVICE void claim_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}
