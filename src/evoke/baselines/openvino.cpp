// Baseline "openvino": OpenVINO's CPU plugin, which generates AMX and AVX-512
// BF16 code. One query row goes through PagedAttention where the layout allows
// it, everything else through ScaledDotProductAttention (openvino_model.h).
#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <map>

#include "evoke/baselines/call_table.h"
#include "evoke/baselines/module.h"
#include "evoke/baselines/openvino_model.h"

namespace evoke::baselines {
namespace {

// A compiled graph and how a call's memory is given to it.
struct Form {
  ov::CompiledModel compiled;
  bool paged = false;
  int64_t key_rows = 0;  // rows per head of the bound key and value
  // What OpenVINO cannot read or write in place goes through dense copies,
  // made in every run and so part of its time.
  bool stage_query = false;
  bool stage_keys = false;
  bool stage_output = false;
};

struct PreparedCall {
  AttentionCall bound;
  const Form* form = nullptr;
  ov::InferRequest request;
  std::vector<std::byte> query, key, value, output;  // the dense copies
};

// (B, H) can be walked with one stride.
bool one_head_stride(const TensorView& view) {
  return view.shape[0] == 1 ||
         view.strides[0] == view.shape[1] * view.strides[1];
}

// A (B, Hkv, capacity, D) buffer of which the view takes the first rows.
bool is_cache_slice(const TensorView& view) {
  const int64_t row = view.strides[2];
  return row == view.shape[3] && one_head_stride(view) &&
         view.strides[1] % row == 0 && view.strides[1] / row >= view.shape[2];
}

bool fits_blocks(const AttentionCall& call) {
  const Geometry& geometry = call.geometry;
  const auto in_blocks = [](const TensorView& view) {
    return is_cache_slice(view) &&
           view.strides[1] % (kBlockRows * view.shape[3]) == 0;
  };
  return geometry.Lq == 1 && call.query.contiguous() && in_blocks(call.key) &&
         in_blocks(call.value) && call.key.strides == call.value.strides;
}

void gather(std::vector<std::byte>& dense, const TensorView& view) {
  const auto row_bytes = static_cast<std::size_t>(2 * view.shape[3]);
  std::byte* target = dense.data();
  for (int64_t b = 0; b < view.shape[0]; ++b) {
    for (int64_t h = 0; h < view.shape[1]; ++h) {
      for (int64_t row = 0; row < view.shape[2]; ++row) {
        std::memcpy(target, view.at(b, h, row), row_bytes);
        target += row_bytes;
      }
    }
  }
}

ov::Tensor vector_of(const std::vector<int32_t>& values) {
  ov::Tensor tensor(ov::element::i32, {values.size()});
  std::copy(values.begin(), values.end(), tensor.data<int32_t>());
  return tensor;
}

template <typename T>
ov::Tensor scalar_of(T value) {
  ov::Tensor tensor(ov::element::from<T>(), ov::Shape{});
  *tensor.data<T>() = value;
  return tensor;
}

class OpenvinoBaseline : public Baseline {
 public:
  explicit OpenvinoBaseline(int num_threads) : num_threads_(num_threads) {
    const auto abilities = core_.get_property("CPU", ov::device::capabilities);
    has_bf16_ = std::find(abilities.begin(), abilities.end(),
                          ov::device::capability::BF16) != abilities.end();
  }

  std::string name() const override { return "openvino"; }
  std::string version() const override {
    return std::string(ov::get_openvino_version().buildNumber) + ", " +
           std::to_string(num_threads_) + " threads";
  }

  Result<CallId> prepare(const Shape& shape,
                         std::vector<BoundTensor> tensors) override {
    const Result<AttentionCall> bound = attention_call(shape, tensors);
    if (!bound) return error_of(bound);
    try {
      PreparedCall call;
      call.bound = *bound;
      call.form = &form_of(*bound);
      bind(call);
      return calls_.add(std::move(call));
    } catch (const std::exception& error) {
      return failed("OpenVINO: " + std::string(error.what()));
    }
  }

  void release(CallId call) override { calls_.remove(call); }

  Result<void> run(std::span<const CallId> calls, bool collect) override {
    for (const CallId id : calls) {
      PreparedCall* call = calls_.find(id);
      if (call == nullptr) return calls_.unknown(id);
      try {
        if (!call->query.empty()) gather(call->query, call->bound.query);
        if (!call->key.empty()) {
          gather(call->key, call->bound.key);
          gather(call->value, call->bound.value);
        }
        call->request.infer();
        if (collect && !call->output.empty()) {
          copy_into(call->bound.output, call->output.data());
        }
      } catch (const std::exception& error) {
        return failed("OpenVINO: " + std::string(error.what()));
      }
    }
    return {};
  }

  std::string path_of(CallId id) const override {
    const PreparedCall* call = calls_.find(id);
    if (call == nullptr) return {};
    const Form& form = *call->form;
    std::string text = form.paged ? "paged attention" : "SDPA";
    if (!form.paged && form.key_rows != call->bound.geometry.Lk) {
      text += ", slice of a cache";
    }
    if (form.stage_query || form.stage_keys || form.stage_output) {
      text += ", copies of strided tensors";
    }
    return text;
  }

 private:
  const Form& form_of(const AttentionCall& call) {
    const Geometry& geometry = call.geometry;
    const auto known = forms_.find(geometry);
    if (known != forms_.end()) return known->second;
    Form form;
    form.stage_query = !call.query.contiguous();
    form.stage_output = !call.output.contiguous();
    if (has_bf16_ && fits_blocks(call)) {
      try {
        form.compiled = compile(paged_model(core_, geometry));
        form.paged = true;
      } catch (const ov::Exception&) {
        // This OpenVINO has another form of the op: SDPA computes it too.
      }
    }
    if (!form.paged) {
      form.stage_keys =
          !(is_cache_slice(call.key) && call.key.strides == call.value.strides);
      form.key_rows = form.stage_keys || geometry.Hkv * geometry.B == 1
                          ? geometry.Lk
                          : call.key.strides[1] / geometry.D;
      form.compiled = compile(sdpa_model(geometry, form.key_rows));
    }
    return forms_.emplace(geometry, std::move(form)).first->second;
  }

  ov::CompiledModel compile(const std::shared_ptr<ov::Model>& model) {
    ov::AnyMap options{ov::inference_num_threads(num_threads_),
                       ov::num_streams(1)};
    if (has_bf16_) {
      options.insert(ov::hint::inference_precision(ov::element::bf16));
      options.insert(ov::hint::kv_cache_precision(ov::element::bf16));
    }
    return core_.compile_model(model, "CPU", options);
  }

  void bind(PreparedCall& call) const {
    const Form& form = *call.form;
    const Geometry& geometry = call.bound.geometry;
    const auto size = [](int64_t value) {
      return static_cast<std::size_t>(value);
    };
    const std::size_t heads = size(geometry.B * geometry.Hkv);
    const std::size_t group = size(geometry.group());
    const std::size_t dim = size(geometry.D);
    const auto memory_of = [](bool staged, std::vector<std::byte>& dense,
                              const TensorView& view, std::size_t bytes) {
      if (staged) dense.resize(bytes);
      return static_cast<void*>(staged ? dense.data() : view.data);
    };
    const std::size_t row_bytes = 2 * heads * group * size(geometry.Lq) * dim;
    const std::size_t key_bytes = 2 * heads * size(geometry.Lk) * dim;
    void* query =
        memory_of(form.stage_query, call.query, call.bound.query, row_bytes);
    void* output =
        memory_of(form.stage_output, call.output, call.bound.output, row_bytes);
    void* key = memory_of(form.stage_keys, call.key, call.bound.key, key_bytes);
    void* value =
        memory_of(form.stage_keys, call.value, call.bound.value, key_bytes);
    call.request = ov::CompiledModel(form.compiled).create_infer_request();
    const auto bf16 = ov::element::bf16;
    if (form.paged) {
      bind_blocks(call, query, key, value);
      call.request.set_output_tensor(
          ov::Tensor(bf16, {heads, group * dim}, output));
      return;
    }
    const ov::Shape rows{heads, group, size(geometry.Lq), dim};
    const ov::Shape keys{heads, 1, size(form.key_rows), dim};
    call.request.set_input_tensor(0, ov::Tensor(bf16, rows, query));
    call.request.set_input_tensor(1, ov::Tensor(bf16, keys, key));
    call.request.set_input_tensor(2, ov::Tensor(bf16, keys, value));
    call.request.set_output_tensor(ov::Tensor(bf16, rows, output));
  }

  static void bind_blocks(PreparedCall& call, void* query, void* key,
                          void* value) {
    const Geometry& geometry = call.bound.geometry;
    const int64_t heads = geometry.B * geometry.Hkv;
    // The last block may be used in part; the rest of it is not read.
    const int64_t used = (geometry.Lk + kBlockRows - 1) / kBlockRows;
    const int64_t stride =
        call.bound.key.strides[1] / (kBlockRows * geometry.D);
    const auto size = [](int64_t count) {
      return static_cast<std::size_t>(count);
    };
    std::vector<int32_t> blocks, block_begins{0}, begins{0};
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t i = 0; i < used; ++i) {
        blocks.push_back(static_cast<int32_t>(head * stride + i));
      }
      block_begins.push_back(static_cast<int32_t>(blocks.size()));
      begins.push_back(static_cast<int32_t>(head + 1));
    }
    const ov::Shape pool{size((heads - 1) * stride + used), 1, size(kBlockRows),
                         size(geometry.D)};
    const auto bf16 = ov::element::bf16;
    std::map<std::string, ov::Tensor> tensors;
    // New rows for the cache; nothing is written, so nothing is read.
    for (const char* name : {"key", "value"}) {
      ov::Tensor rows(bf16, {size(heads), size(geometry.D)});
      std::memset(rows.data(), 0, rows.get_byte_size());
      tensors[name] = rows;
    }
    tensors["query"] = ov::Tensor(
        bf16, {size(heads), size(geometry.group() * geometry.D)}, query);
    tensors["key_cache"] = ov::Tensor(bf16, pool, key);
    tensors["value_cache"] = ov::Tensor(bf16, pool, value);
    tensors["past_lens"] = vector_of(std::vector<int32_t>(
        size(heads), static_cast<int32_t>(geometry.Lk - 1)));
    tensors["subsequence_begins"] = vector_of(begins);
    tensors["block_indices"] = vector_of(blocks);
    tensors["block_indices_begins"] = vector_of(block_begins);
    tensors["scale"] = scalar_of(geometry.scale);
    tensors["max_context_len"] = scalar_of(static_cast<int32_t>(geometry.Lk));
    for (const ov::Output<const ov::Node>& input :
         call.request.get_compiled_model().inputs()) {
      const auto found = tensors.find(input.get_any_name());
      if (found != tensors.end()) {
        call.request.set_tensor(input, found->second);
        continue;
      }
      // Features that are off: an empty tensor, or zero.
      const auto rank =
          static_cast<std::size_t>(input.get_partial_shape().size());
      ov::Tensor off(input.get_element_type(), ov::Shape(rank, 0));
      if (rank == 0) std::memset(off.data(), 0, off.get_byte_size());
      call.request.set_tensor(input, off);
    }
  }

  int num_threads_;
  bool has_bf16_ = false;
  ov::Core core_;
  std::map<Geometry, Form> forms_;
  CallTable<PreparedCall> calls_;
};

}  // namespace
}  // namespace evoke::baselines

EVOKE_BASELINE_MODULE void evoke_open_baseline(
    const std::string& /*name*/, int num_threads,
    evoke::Result<std::unique_ptr<evoke::Baseline>>* reply) {
  try {
    *reply = std::make_unique<evoke::baselines::OpenvinoBaseline>(num_threads);
  } catch (const std::exception& error) {
    *reply =
        evoke::failed("OpenVINO does not start: " + std::string(error.what()));
  }
}
