#define MTP_KERNEL portable_mixed
#define MTP_KERNEL_NAME "portable"
#define MTP_REAL float
#define MTP_LANES 4
#define MTP_TILE 2
#define MTP_BACK_TILE 2
#define MTP_ENERGIES_ONLY
#include "kernel_body.hpp"
