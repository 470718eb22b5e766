#include "sb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum sb_status sb_cannot_write(const char *path, const char *why, struct sb_error *err)
{
	char shown[256];

	sb_escape(path, shown, sizeof(shown));
	return sb_fail(err, SB_E_DATA, "cannot write '%s': %s", shown, why);
}

/* A rename would put a file in the place of a device or a pipe. */
enum sb_status sb_check_replaceable(const char *path, struct sb_error *err)
{
	struct stat st;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return sb_cannot_write(path, S_ISDIR(st.st_mode) ? "it is a folder" : "it is no plain file", err);
	return SB_OK;
}

enum sb_status sb_out_folder(const char *path, bool *made, struct sb_error *err)
{
	*made = !mkdir(path, 0777);
	return !*made && errno != EEXIST ? sb_cannot_write(path, strerror(errno), err) : SB_OK;
}

static void release(struct sb_out_file *o)
{
	free(o->temporary);
	*o = (struct sb_out_file){ 0 };
}

void sb_out_file_abandon(struct sb_out_file *o)
{
	if (o->f)
		fclose(o->f);
	if (o->temporary)
		unlink(o->temporary);
	release(o);
}

static enum sb_status broken(struct sb_out_file *o, int why, struct sb_error *err)
{
	const char *path = o->path;

	sb_out_file_abandon(o);
	return sb_cannot_write(path, strerror(why), err);
}

enum sb_status sb_out_file_open(struct sb_out_file *o, const char *path, struct sb_error *err)
{
	enum sb_status status = sb_check_replaceable(path, err);
	struct sb_buf temporary = { 0 };
	char id[33];
	int fd, why;

	*o = (struct sb_out_file){ .path = path };
	if (status)
		return status;
	sb_random_id(id);
	sb_buf_addf(&temporary, "%s.%.8s.tmp", path, id);
	if (temporary.failed)
		return sb_fail(err, SB_E_NOMEM, "no memory for a file name");
	fd = open(temporary.s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		status = sb_cannot_write(path, strerror(errno), err);
		sb_buf_release(&temporary);
		return status;
	}
	o->temporary = temporary.s;
	o->f = fdopen(fd, "w");
	if (o->f)
		return SB_OK;
	why = errno;
	close(fd);
	return broken(o, why, err);
}

enum sb_status sb_out_file_write(struct sb_out_file *o, const void *data, size_t n, struct sb_error *err)
{
	return fwrite(data, 1, n, o->f) < n ? broken(o, errno, err) : SB_OK;
}

enum sb_status sb_out_file_seek(struct sb_out_file *o, int64_t position, struct sb_error *err)
{
	return fseeko(o->f, (off_t)position, SEEK_SET) ? broken(o, errno, err) : SB_OK;
}

enum sb_status sb_out_file_finish(struct sb_out_file *o, struct sb_error *err)
{
	FILE *f = o->f;
	bool failed;

	errno = EIO; /* of a write that failed earlier, through o->f itself, nothing else is known */
	failed = fflush(f) || ferror(f);
	if (failed)
		return broken(o, errno, err);
	o->f = NULL;
	/* some file systems report a full disk only when the file is closed */
	if (fclose(f) || rename(o->temporary, o->path))
		return broken(o, errno, err);
	release(o);
	return SB_OK;
}

enum sb_status sb_out_file_put(const char *path, const void *data, size_t n, struct sb_error *err)
{
	struct sb_out_file o;

	if (sb_out_file_open(&o, path, err) || sb_out_file_write(&o, data, n, err))
		return err->code;
	return sb_out_file_finish(&o, err);
}
