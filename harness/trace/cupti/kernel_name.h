/* kernel_name: names of kernels as people read them. Uses libc. */
#ifndef SB_KERNEL_NAME_H
#define SB_KERNEL_NAME_H

#include <stddef.h>

/*
 * "_Z19attention_efficientILi64ELb1EfEvPKf" -> "attention_efficient<64,1,float>": the name and the numbers and plain
 * types it was made with, without its parameters. Names in namespaces and those that are not mangled stay as they are.
 */
void sb_kernel_name(const char *mangled, char *out, size_t n);

#endif
