// Everything a kernel of the cuda dialect sees, described for kernel authors
// in README.md beside this file.
#pragma once

#include "barriers.h"
#include "copies.h"
#include "types.h"
#include "warp_mma.h"
#include "wgmma.h"
