/*
 * front_cases: the checks of test_cuda_front.c, a file a family: kernels against their double references over odd
 * shapes, strides and values, and their times at the shapes of the full preset's case (i): 24 frames of 518 x 294, 1012
 * tracks.
 */
#ifndef FRONT_CASES_H
#define FRONT_CASES_H

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* quick: small shapes alone, for tools under which a kernel takes a hundred times as long. */
void check_norm(int quick);
void check_pointwise(int quick);
void check_maps(int quick);
void check_resize(int quick);
void check_patches(int quick);

void time_norm(void);
void time_pointwise(void);
void time_maps(void);
void time_resize(void);
void time_patches(void);

#endif
