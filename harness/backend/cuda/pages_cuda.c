/*
 * Device memory for the allocators: segments by cudaMalloc, ranges of addresses by the driver's virtual memory
 * management. The driver's functions are asked for by name, so that nothing links libcuda.
 */
#include "cuda_internal.h"

#include <cudaTypedefs.h>
#include <stdlib.h>

struct driver {
	PFN_cuMemAddressReserve_v10020 reserve;
	PFN_cuMemAddressFree_v10020 unreserve;
	PFN_cuMemCreate_v10020 create;
	PFN_cuMemRelease_v10020 release;
	PFN_cuMemMap_v10020 map;
	PFN_cuMemUnmap_v10020 unmap;
	PFN_cuMemSetAccess_v10020 set_access;
	PFN_cuMemGetAllocationGranularity_v10020 granularity;
	PFN_cuGetErrorName_v6000 error_name;
};

struct cuda_pages {
	struct sb_pages base; /* first: a sb_pages is its cuda_pages */
	struct driver driver;
	CUmemAllocationProp prop;
};

static const struct driver *driver_of(struct sb_pages *p)
{
	return &((struct cuda_pages *)p)->driver;
}

static enum sb_status driver_status(struct sb_pages *p, CUresult code, const char *what, struct sb_error *err)
{
	const char *name = NULL;

	if (code == CUDA_SUCCESS)
		return SB_OK;
	driver_of(p)->error_name(code, &name);
	return sb_fail(err, code == CUDA_ERROR_OUT_OF_MEMORY ? SB_E_NOMEM : SB_E_DEVICE, "%s: %s", what,
	        name ? name : "unknown error");
}

static void pages_close(struct sb_pages *p)
{
	free(p);
}

static enum sb_status segment_alloc(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	void *m;
	enum sb_status status = SB_CUDA(err, cudaMalloc(&m, (size_t)bytes));

	(void)p;
	if (!status)
		*addr = (uintptr_t)m;
	return status;
}

static enum sb_status segment_free(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	(void)p;
	(void)bytes;
	return SB_CUDA(err, cudaFree((void *)addr));
}

static enum sb_status reserve(struct sb_pages *p, int64_t bytes, uintptr_t *addr, struct sb_error *err)
{
	CUdeviceptr at = 0;
	enum sb_status status =
	        driver_status(p, driver_of(p)->reserve(&at, (size_t)bytes, 0, 0, 0), "cuMemAddressReserve", err);

	if (!status)
		*addr = (uintptr_t)at;
	return status;
}

static enum sb_status unreserve(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	return driver_status(p, driver_of(p)->unreserve(addr, (size_t)bytes), "cuMemAddressFree", err);
}

static enum sb_status create(struct sb_pages *p, int64_t bytes, uint64_t *handle, struct sb_error *err)
{
	CUmemGenericAllocationHandle h = 0;
	enum sb_status status = driver_status(
	        p, driver_of(p)->create(&h, (size_t)bytes, &((struct cuda_pages *)p)->prop, 0), "cuMemCreate", err);

	if (!status)
		*handle = h;
	return status;
}

static enum sb_status release(struct sb_pages *p, uint64_t handle, int64_t bytes, struct sb_error *err)
{
	(void)bytes;
	return driver_status(p, driver_of(p)->release(handle), "cuMemRelease", err);
}

static enum sb_status map(struct sb_pages *p, uintptr_t addr, int64_t bytes, uint64_t handle, struct sb_error *err)
{
	return driver_status(p, driver_of(p)->map(addr, (size_t)bytes, 0, handle, 0), "cuMemMap", err);
}

static enum sb_status unmap(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	return driver_status(p, driver_of(p)->unmap(addr, (size_t)bytes), "cuMemUnmap", err);
}

static enum sb_status set_access(struct sb_pages *p, uintptr_t addr, int64_t bytes, struct sb_error *err)
{
	CUmemAccessDesc access = { ((struct cuda_pages *)p)->prop.location, CU_MEM_ACCESS_FLAGS_PROT_READWRITE };

	return driver_status(p, driver_of(p)->set_access(addr, (size_t)bytes, &access, 1), "cuMemSetAccess", err);
}

/* One stream: whatever number names it, the device is idle when all of its work has ended. */
static enum sb_status pages_sync(struct sb_pages *p, uint64_t stream, struct sb_error *err)
{
	(void)p;
	(void)stream;
	return SB_CUDA(err, cudaDeviceSynchronize());
}

static enum sb_status pages_info(struct sb_pages *p, int64_t *free_bytes, int64_t *total_bytes, struct sb_error *err)
{
	size_t avail, total;
	enum sb_status status = SB_CUDA(err, cudaMemGetInfo(&avail, &total));

	(void)p;
	if (status)
		return status;
	*free_bytes = (int64_t)avail;
	*total_bytes = (int64_t)total;
	return SB_OK;
}

static const struct sb_pages_ops cuda_pages_ops = {
	.name = "cuda",
	.close = pages_close,
	.segment_alloc = segment_alloc,
	.segment_free = segment_free,
	.reserve = reserve,
	.unreserve = unreserve,
	.create = create,
	.release = release,
	.map = map,
	.unmap = unmap,
	.set_access = set_access,
	.sync = pages_sync,
	.info = pages_info,
};

static enum sb_status entry(const char *name, unsigned int version, void *out, struct sb_error *err)
{
	enum cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
	enum sb_status status =
	        SB_CUDA(err, cudaGetDriverEntryPointByVersion(name, out, version, cudaEnableDefault, &found));

	if (!status && found != cudaDriverEntryPointSuccess)
		return sb_fail(err, SB_E_ENV, "the NVIDIA driver has no '%s': it is too old, update it", name);
	return status;
}

static enum sb_status find_driver(struct driver *d, struct sb_error *err)
{
	const struct {
		const char *name;
		unsigned int version;
		void *out;
	} wanted[] = {
		{ "cuMemAddressReserve", 10020, &d->reserve },
		{ "cuMemAddressFree", 10020, &d->unreserve },
		{ "cuMemCreate", 10020, &d->create },
		{ "cuMemRelease", 10020, &d->release },
		{ "cuMemMap", 10020, &d->map },
		{ "cuMemUnmap", 10020, &d->unmap },
		{ "cuMemSetAccess", 10020, &d->set_access },
		{ "cuMemGetAllocationGranularity", 10020, &d->granularity },
		{ "cuGetErrorName", 6000, &d->error_name },
	};
	enum sb_status status = SB_OK;

	for (size_t i = 0; i < SB_ARRAY_LEN(wanted) && !status; i++)
		status = entry(wanted[i].name, wanted[i].version, wanted[i].out, err);
	return status;
}

enum sb_status sb_cuda_pages_open(int ordinal, int64_t limit_bytes, struct sb_pages **out, struct sb_error *err)
{
	struct cuda_pages *c = calloc(1, sizeof(*c));
	size_t granularity = 0;
	enum sb_status status;

	if (!c)
		return sb_fail(err, SB_E_NOMEM, "out of host memory");
	c->prop = (CUmemAllocationProp){ .type = CU_MEM_ALLOCATION_TYPE_PINNED,
		.location = { .type = CU_MEM_LOCATION_TYPE_DEVICE, .id = ordinal } };
	status = find_driver(&c->driver, err);
	if (!status)
		status = driver_status(&c->base,
		        c->driver.granularity(&granularity, &c->prop, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
		        "cuMemGetAllocationGranularity", err);
	if (status) {
		free(c);
		return status;
	}
	sb_pages_init(&c->base, &cuda_pages_ops, (int64_t)granularity, limit_bytes);
	*out = &c->base;
	return SB_OK;
}
