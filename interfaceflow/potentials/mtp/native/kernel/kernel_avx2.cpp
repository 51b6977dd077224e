#define MTP_KERNEL avx2
#define MTP_KERNEL_NAME "avx2"
#define MTP_LANES 4
#include "kernel_body.hpp"
