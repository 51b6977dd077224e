#define MTP_KERNEL avx512
#define MTP_KERNEL_NAME "avx512"
#define MTP_LANES 8
#include "kernel_body.hpp"
