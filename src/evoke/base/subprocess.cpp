#include "evoke/base/subprocess.h"
