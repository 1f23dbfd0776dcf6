/* The server: see serve/serve.h. */
#include "serve/serve.h"
