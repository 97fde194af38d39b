/* $model: see $name.h. Written by emovox; do not edit. */

#include "$name.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static float arena[$arena];

