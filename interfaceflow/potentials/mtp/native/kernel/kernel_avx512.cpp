#define MTP_KERNEL avx512
#define MTP_KERNEL_NAME "avx512"
#define MTP_REAL double
#define MTP_LANES 8
#define MTP_TILE 4
#define MTP_BACK_TILE 2
#include "kernel_body.hpp"
