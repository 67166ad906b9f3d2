/*
 * Lets Debian's two xenstoreds start on a machine without Xen, to be measured on their unix sockets: preloaded, it answers the few calls to
 * Xen's libraries that they make at start. There is one domain, 0; nothing can be introduced.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static int nothing[16];
static int events = -1, port = 32;

/* The daemon raises its limits, which a container may refuse. */
int setrlimit(__rlimit_resource_t what, const struct rlimit *to) { return 0; }
int setrlimit64(__rlimit_resource_t what, const struct rlimit64 *to) { return 0; }

/* Domain 0's page and port, which a Xen kernel has as files. */
static int xen_file(const char *name)
{
	const char *last = name ? strrchr(name, '/') : NULL;
	int fd;

	if (!last || (strcmp(last, "/xsd_port") && strcmp(last, "/xsd_kva")))
		return -1;
	fd = memfd_create(last + 1, 0);
	if (last[5] == 'p') {
		if (write(fd, "1", 1) != 1)
			return -1;
		lseek(fd, 0, SEEK_SET);
	} else if (ftruncate(fd, 4096)) {
		return -1;
	}
	return fd;
}

#define OPEN(name) \
int name(const char *file, int flags, ...) \
{ \
	static int (*real)(const char *, int, ...); \
	int fd = xen_file(file); \
	va_list rest; \
	int mode; \
	if (fd >= 0) \
		return fd; \
	va_start(rest, flags); \
	mode = va_arg(rest, int); \
	va_end(rest); \
	if (!real) \
		real = dlsym(RTLD_NEXT, #name); \
	return real(file, flags, mode); \
}
OPEN(open)
OPEN(open64)

/* libxenctrl. Of what it tells of a domain: the number first, then flags, of which bit 5 is "running". */
void *xc_interface_open(void *log, void *destroy, unsigned flags) { return nothing; }
int xc_interface_close(void *handle) { return 0; }
int xc_domain_getinfo(void *handle, uint32_t first, unsigned max, uint32_t *info)
{
	if (first > 0 || max == 0)
		return 0;
	info[0] = 0;
	info[1] = 0;
	info[2] = 1 << 5;
	return 1;
}

/* libxenevtchn: a descriptor on which nothing ever happens. */
void *xenevtchn_open(void *log, unsigned flags)
{
	if (events < 0)
		events = eventfd(0, EFD_NONBLOCK);
	return nothing;
}
int xenevtchn_close(void *handle) { return 0; }
int xenevtchn_fd(void *handle) { return events; }
int xenevtchn_bind_virq(void *handle, unsigned virq) { return port++; }
int xenevtchn_bind_interdomain(void *handle, uint32_t domid, uint32_t remote) { return port++; }
int xenevtchn_unbind(void *handle, uint32_t local) { return 0; }
int xenevtchn_notify(void *handle, uint32_t local) { return 0; }
int xenevtchn_unmask(void *handle, uint32_t local) { return 0; }
int xenevtchn_pending(void *handle)
{
	errno = EAGAIN;
	return -1;
}

/* libxengnttab: nothing can be mapped. */
void *xengnttab_open(void *log, unsigned flags) { return nothing; }
int xengnttab_close(void *handle) { return 0; }
int xengnttab_set_max_grants(void *handle, uint32_t n) { return 0; }
void *xengnttab_map_grant_ref(void *handle, uint32_t domid, uint32_t ref, int prot)
{
	errno = ENOSYS;
	return NULL;
}
int xengnttab_unmap(void *handle, void *at, uint32_t n) { return 0; }
