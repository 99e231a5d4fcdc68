// Where a model is on this machine.
#pragma once

#include <filesystem>
#include <string>

#include "evoke/base/error.h"

namespace evoke::model {

// `model` is a folder, or a name on the Hugging Face hub ("Qwen/Qwen3-0.6B",
// with "@REVISION" if not main) that was downloaded before: it is looked up
// in HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. Nothing
// is downloaded. `absent`: it is nowhere; the message tells how to get it.
Result<std::filesystem::path> find_model_folder(const std::string& model);

}  // namespace evoke::model
