#include "evoke/model/tokenizer/unicode_differences.h"
