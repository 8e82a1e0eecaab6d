#include "unit/fake_engine.h"
