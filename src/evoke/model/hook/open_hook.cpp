#include "evoke/model/hook/open_hook.h"

#include "evoke/core/verified_kernel.h"
#include "evoke/model/model_config.h"
#include "evoke/model/model_folder.h"

namespace evoke::model {

Result<std::unique_ptr<KernelHook>> open_kernel_hook(
    const std::string& kernel_file, const std::string& model,
    const ProblemSignature& signature) {
  const auto kernel = KernelSource::read(kernel_file);
  if (!kernel) return error_of(kernel);
  const auto folder = find_model_folder(model);
  if (!folder) return error_of(folder);
  const auto config = read_model_config(*folder);
  if (!config) return error_of(config);
  auto launcher = make_launcher(kernel->dialect());
  if (!launcher) return error_of(launcher);
  const auto verified = read_verified_kernel(
      default_verified_folder(), *kernel,
      heads_label(config->num_q_heads, config->num_kv_heads, config->head_dim));
  if (!verified) return error_of(verified);
  return KernelHook::open(*kernel, *verified, signature, std::move(*launcher),
                          fast_attention());
}

}  // namespace evoke::model
