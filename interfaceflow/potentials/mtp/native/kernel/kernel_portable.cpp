#define MTP_KERNEL portable
#define MTP_KERNEL_NAME "portable"
#define MTP_LANES 2
#include "kernel_body.hpp"
