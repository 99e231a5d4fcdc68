// Asynchronous copies: cp.async by threads, bulk copies and tensor copies (TMA)
// by the copy engine.
#pragma once

#include "barriers.h"
#include "types.h"

// What the host encodes for a [tensor_map.NAME] of the plan.
#ifndef EVOKE_HAS_TENSOR_MAP
struct alignas(64) CUtensorMap {
  uint64_t opaque[16];
};
#endif

// ------------------------------------------------------ cp.async, by threads

// 16 bytes past L1. With `valid` false the destination is filled with zeros
// and nothing is read.
EVOKE_DEVICE void copy_async16(void* shared, const void* global,
                               bool valid = true) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   shared_address(shared)),
               "l"(global), "r"(valid ? 16 : 0)
               : "memory");
}
EVOKE_DEVICE void copy_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// Until at most `pending` of this thread's groups are still on their way.
template <int pending>
EVOKE_DEVICE void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}
// One arrival at `barrier` when this thread's copies so far are complete.
EVOKE_DEVICE void copy_async_arrive(uint64_t* barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(
                   shared_address(barrier))
               : "memory");
}

// --------------------------------------------------- bulk, contiguous bytes

// `bytes` and both addresses are multiples of 16. Counts at `barrier`.
EVOKE_DEVICE void copy_bulk(void* shared, const void* global, uint32_t bytes,
                            uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1], %2, [%3];" ::"r"(shared_address(shared)),
      "l"(global), "r"(bytes), "r"(shared_address(barrier))
      : "memory");
}
EVOKE_DEVICE void copy_bulk(void* shared, const void* global, uint32_t bytes,
                            uint64_t* barrier, uint64_t policy) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".L2::cache_hint [%0], [%1], %2, [%3], %4;" ::"r"(shared_address(shared)),
      "l"(global), "r"(bytes), "r"(shared_address(barrier)), "l"(policy)
      : "memory");
}
// Into another block of the cluster: addresses from remote_address().
EVOKE_DEVICE void copy_bulk_remote(uint32_t remote, const void* shared,
                                   uint32_t bytes, uint32_t remote_barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes "
      "[%0], [%1], %2, [%3];" ::"r"(remote),
      "r"(shared_address(shared)), "r"(bytes), "r"(remote_barrier)
      : "memory");
}
EVOKE_DEVICE void store_bulk(void* global, const void* shared, uint32_t bytes) {
  asm volatile(
      "cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(
          global),
      "r"(shared_address(shared)), "r"(bytes)
      : "memory");
}
EVOKE_DEVICE void prefetch_bulk(const void* global, uint32_t bytes) {
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(global),
               "r"(bytes)
               : "memory");
}

// ------------------------------------------------------------- tensor copies

EVOKE_DEVICE void prefetch_map(const CUtensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

// One box of a tensor of 2 to 4 dimensions, from the coordinates x (of the
// innermost dimension), y, z, w. Outside the tensor it reads zeros, and stores
// nothing. x counts whole 16 bytes: another one is an illegal instruction, and
// so is a store at a negative coordinate; loads may begin before the tensor.
EVOKE_DEVICE void load_tile(void* shared, const CUtensorMap& map,
                            uint64_t* barrier, int x, int y) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile"
      ".mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(
          shared_address(shared)),
      "l"(&map), "r"(shared_address(barrier)), "r"(x), "r"(y)
      : "memory");
}
EVOKE_DEVICE void load_tile(void* shared, const CUtensorMap& map,
                            uint64_t* barrier, int x, int y, int z) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile"
      ".mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(
          shared_address(shared)),
      "l"(&map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z)
      : "memory");
}
EVOKE_DEVICE void load_tile(void* shared, const CUtensorMap& map,
                            uint64_t* barrier, int x, int y, int z, int w) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile"
      ".mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], "
      "[%2];" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z), "r"(w)
      : "memory");
}
EVOKE_DEVICE void load_tile(void* shared, const CUtensorMap& map,
                            uint64_t* barrier, int x, int y, int z, int w,
                            uint64_t policy) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile"
      ".mbarrier::complete_tx::bytes.L2::cache_hint [%0], "
      "[%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z), "r"(w),
      "l"(policy)
      : "memory");
}
// To the same place in every block of `mask` (bit = rank); each block's own
// barrier, at the same place, counts the bytes.
EVOKE_DEVICE void load_tile_multicast(void* shared, const CUtensorMap& map,
                                      uint64_t* barrier, uint16_t mask, int x,
                                      int y) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile"
      ".mbarrier::complete_tx::bytes.multicast::cluster [%0], "
      "[%1, {%3, %4}], [%2], %5;" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(barrier)), "r"(x), "r"(y), "h"(mask)
      : "memory");
}
EVOKE_DEVICE void load_tile_multicast(void* shared, const CUtensorMap& map,
                                      uint64_t* barrier, uint16_t mask, int x,
                                      int y, int z, int w) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile"
      ".mbarrier::complete_tx::bytes.multicast::cluster [%0], "
      "[%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z), "r"(w),
      "h"(mask)
      : "memory");
}
EVOKE_DEVICE void prefetch_tile(const CUtensorMap& map, int x, int y, int z,
                                int w) {
  asm volatile(
      "cp.async.bulk.prefetch.tensor.4d.L2.global.tile [%0, {%1, %2, %3, "
      "%4}];" ::"l"(&map),
      "r"(x), "r"(y), "r"(z), "r"(w)
      : "memory");
}
EVOKE_DEVICE void store_tile(const CUtensorMap& map, const void* shared, int x,
                             int y) {
  asm volatile(
      "cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group "
      "[%0, {%2, %3}], [%1];" ::"l"(&map),
      "r"(shared_address(shared)), "r"(x), "r"(y)
      : "memory");
}
EVOKE_DEVICE void store_tile(const CUtensorMap& map, const void* shared, int x,
                             int y, int z, int w) {
  asm volatile(
      "cp.async.bulk.tensor.4d.global.shared::cta.tile.bulk_group "
      "[%0, {%2, %3, %4, %5}], [%1];" ::"l"(&map),
      "r"(shared_address(shared)), "r"(x), "r"(y), "r"(z), "r"(w)
      : "memory");
}

// Stores of this thread form groups. `stores_read`: shared memory of all but
// `pending` groups may be written again; `stores_done`: they are in memory.
EVOKE_DEVICE void commit_stores() {
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}
template <int pending>
EVOKE_DEVICE void wait_stores_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(pending) : "memory");
}
template <int pending>
EVOKE_DEVICE void wait_stores_done() {
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(pending) : "memory");
}
