#define MTP_KERNEL avx2
#define MTP_KERNEL_NAME "avx2"
#define MTP_LANES 8
#include "kernel_body.hpp"
