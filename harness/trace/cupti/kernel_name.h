/* kernel_name: names of kernels as people read them. Uses libc. */
#ifndef SB_KERNEL_NAME_H
#define SB_KERNEL_NAME_H

#include <stddef.h>

/*
 * "_Z19attention_efficientILi64ELb1EfEvPKf" -> "attention_efficient<64,1,float>": the name, its namespaces, and the
 * numbers and types it was made with, without its parameters; ".." stands for what is of a sort that is not read. Names
 * that are not mangled stay as they are.
 */
void sb_kernel_name(const char *mangled, char *out, size_t n);

#endif
