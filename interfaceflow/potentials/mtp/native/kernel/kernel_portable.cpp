#define MTP_KERNEL portable
#define MTP_KERNEL_NAME "portable"
#define MTP_REAL double
#define MTP_LANES 2
#define MTP_TILE 2
#define MTP_BACK_TILE 2
#include "kernel_body.hpp"
