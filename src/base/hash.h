/* hash.h - uthash that does not end the process when there is no memory: the element is then simply not added. */
#ifndef REFRACTR_BASE_HASH_H
#define REFRACTR_BASE_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* After HASH_ADD: is it in the table? */
#define HASH_ADDED(element) ((element)->hh.tbl != NULL)

#endif
