/* json.h - how JSON is written for people and programs outside: by http/, webhook/ and the command line alike. */
#ifndef REFRACTR_BASE_JSON_H
#define REFRACTR_BASE_JSON_H

#include <jansson.h>

/* 17 digits would show 0.1 as 0.10000000000000001; 15 always survive decimal -> double -> decimal. */
#define JSON_OUTSIDE (JSON_COMPACT | JSON_REAL_PRECISION(15))

#endif
