#include "evoke/model/kv_cache.h"

#include <mlx/ops.h>

#include <stdexcept>

namespace evoke::model {
namespace {

namespace mx = mlx::core;

mx::array first_rows(const mx::array& buffer, int rows) {
  mx::Shape stop = buffer.shape();
  stop[2] = rows;
  return mx::slice(buffer, {0, 0, 0, 0}, stop);
}

// `buffer` with room for `needed` rows, of which the first `used` are kept.
void reserve(std::optional<mx::array>& buffer, const mx::array& like, int used,
             int needed) {
  if (buffer && buffer->shape(2) >= needed) return;
  const int capacity =
      (needed + KvCache::kStep - 1) / KvCache::kStep * KvCache::kStep;
  mx::Shape shape = like.shape();
  shape[2] = capacity - used;
  mx::array room = mx::zeros(shape, like.dtype());
  buffer = used == 0 ? std::move(room)
                     : mx::concatenate({first_rows(*buffer, used), room}, 2);
}

void write(std::optional<mx::array>& buffer, const mx::array& rows, int at) {
  mx::Shape stop = rows.shape();
  stop[2] += at;
  buffer = mx::slice_update(*buffer, rows, {0, 0, at, 0}, stop);
}

}  // namespace

KvCache::KvCache(int num_layers) : layers_(num_layers) {}

std::pair<mx::array, mx::array> KvCache::append(int layer, const mx::array& key,
                                                const mx::array& value) {
  Layer& own = layers_.at(layer);
  if (own.key && own.key->shape(0) != key.shape(0)) {
    throw std::invalid_argument(
        "[KvCache::append] the batch has another size than before.");
  }
  const int length = own.length + key.shape(2);
  reserve(own.key, key, own.length, length);
  reserve(own.value, value, own.length, length);
  write(own.key, key, own.length);
  write(own.value, value, own.length);
  own.length = length;
  return {first_rows(*own.key, length), first_rows(*own.value, length)};
}

int KvCache::capacity(int layer) const {
  const Layer& own = layers_.at(layer);
  return own.key ? own.key->shape(2) : 0;
}

std::size_t KvCache::bytes() const {
  std::size_t bytes = 0;
  for (const mx::array& buffer : buffers()) bytes += buffer.nbytes();
  return bytes;
}

std::vector<mx::array> KvCache::buffers() const {
  std::vector<mx::array> arrays;
  for (const Layer& layer : layers_) {
    if (layer.key) arrays.push_back(*layer.key);
    if (layer.value) arrays.push_back(*layer.value);
  }
  return arrays;
}

}  // namespace evoke::model
