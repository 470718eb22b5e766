#include "requirements.h"

#include <string.h>

#define MIN_CAPABILITY 80 /* Ampere: TF32 */
#define MIB            1048576.0

static int major_of(int version)
{
	return version / 1000;
}

static int minor_of(int version)
{
	return version % 1000 / 10;
}

static enum sb_status no_device(const char *visible, struct sb_error *err)
{
	if (!visible)
		return sb_fail(err, SB_E_ENV,
		        "the driver shows no CUDA device; a container needs the GPU passed on (--gpus all), and a card "
		        "with MIG on needs an instance");
	if (!*visible)
		return sb_fail(
		        err, SB_E_ENV, "CUDA_VISIBLE_DEVICES is empty, which hides every GPU; unset it, or name one");
	if (!strncmp(visible, "MIG-", 4))
		return sb_fail(err, SB_E_ENV,
		        "CUDA_VISIBLE_DEVICES='%.100s' is no MIG instance of this machine; 'nvidia-smi -L' lists them",
		        visible);
	return sb_fail(err, SB_E_ENV,
	        "CUDA_VISIBLE_DEVICES='%.100s' names no usable GPU of this machine; 'nvidia-smi -L' lists them, and "
	        "one "
	        "with MIG on needs the name of an instance",
	        visible);
}

enum sb_status sb_cuda_check_machine(const struct sb_cuda_found *f, struct sb_error *err)
{
	if (!f->driver)
		return sb_fail(err, SB_E_ENV,
		        "no NVIDIA driver on this machine (libcuda.so.1 cannot be loaded); a container needs the GPU "
		        "passed on (--gpus all)");
	if (f->driver_refuses)
		return sb_fail(err, SB_E_ENV,
		        "the NVIDIA driver is for CUDA %d.%d and this build needs %d.%d; update the driver, or build "
		        "with an older toolkit (12.8 at least)",
		        major_of(f->driver), minor_of(f->driver), major_of(f->runtime), minor_of(f->runtime));
	if (f->trouble)
		return sb_fail(err, SB_E_ENV, "cannot look for CUDA devices: %.200s; does 'nvidia-smi' see the GPU?",
		        f->trouble);
	if (f->devices < 1)
		return no_device(f->visible, err);
	if (f->ordinal < 0 || f->ordinal >= f->devices)
		return sb_fail(err, SB_E_ENV, "it does not exist; there %s %d, from cuda:0%s%.100s%s",
		        f->devices == 1 ? "is" : "are", f->devices, f->visible ? " (CUDA_VISIBLE_DEVICES='" : "",
		        f->visible ? f->visible : "", f->visible ? "')" : "");
	return SB_OK;
}

enum sb_status sb_cuda_check_capability(const char *name, int major, int minor, int runtime, struct sb_error *err)
{
	if (major * 10 + minor >= MIN_CAPABILITY)
		return SB_OK;
	return sb_fail(err, SB_E_ENV,
	        "%.64s has compute capability %d.%d; needed are 8.0 (Ampere or newer) and a driver for CUDA %d.%d; use "
	        "another GPU or --device cpu",
	        name, major, minor, major_of(runtime), minor_of(runtime));
}

enum sb_status sb_cuda_no_memory(int64_t free_bytes, int64_t total_bytes, struct sb_error *err)
{
	struct sb_error cause = *err;

	if (total_bytes)
		return sb_fail(err, SB_E_ENV,
		        "no room on the device: %.0f of %.0f MiB are free, other programs have the rest ('nvidia-smi' "
		        "names them); %.300s",
		        (double)free_bytes / MIB, (double)total_bytes / MIB, cause.msg);
	return sb_fail(err, SB_E_ENV,
	        "no room on the device, other programs have its memory ('nvidia-smi' names them); %.300s", cause.msg);
}
