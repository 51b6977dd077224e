#define MTP_KERNEL avx2
#define MTP_KERNEL_NAME "avx2"
#define MTP_REAL double
#define MTP_LANES 4
#define MTP_TILE 2
#define MTP_BACK_TILE 2
#include "kernel_body.hpp"
