#include "evoke/base/expression.h"
