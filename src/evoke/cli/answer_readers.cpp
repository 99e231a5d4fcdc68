#include "evoke/cli/answer_readers.h"

namespace evoke::cli {

AnswerReader answer_reader(Dialect dialect) {
  return kernel_file_reader(dialect);
}

}  // namespace evoke::cli
