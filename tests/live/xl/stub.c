/*
 * What xl's dry run asks of a hypervisor and its store before it prints how it understands a file: answers for a host of 64
 * processors, so that it runs on any machine. Preloaded into Debian's own xl 4.17, which is otherwise as it is.
 */
#include <stdint.h>
#include <string.h>

/* xen/include/public/sysctl.h, XEN_SYSCTL_physinfo */
struct physinfo {
  uint32_t threads_per_core, cores_per_socket, nr_cpus, max_cpu_id, nr_nodes, max_node_id, cpu_khz;
  uint32_t capabilities, arch_capabilities, pad;
  uint64_t total_pages, free_pages, scrub_pages, outstanding_pages, max_mfn;
  uint32_t hw_cap[8];
};
enum { cpus = 64, all_kinds_of_guests = 1 | 2 | 4 | 32, version = 0, page_size = 7, credit2 = 6 };
static char handle;

void *xc_interface_open(void *log, void *other, unsigned flags) { return &handle; }
int xc_interface_close(void *h) { return 0; }
void *xs_open(unsigned long flags) { return &handle; }
void xs_close(void *h) {}
int xs_fileno(void *h) { return -1; }
int xc_version(void *h, int what, void *to) { return what == version ? 4 << 16 | 17 : what == page_size ? 4096 : 0; }
int xc_get_max_cpus(void *h) { return cpus; }
int xc_get_online_cpus(void *h) { return cpus; }
int xc_get_max_nodes(void *h) { return 1; }
long xc_sharing_freed_pages(void *h) { return 0; }
long xc_sharing_used_frames(void *h) { return 0; }
int xc_sched_id(void *h, int *id) { return *id = credit2, 0; }
int xc_physinfo(void *h, struct physinfo *to) {
  memset(to, 0, sizeof *to);
  to->threads_per_core = to->nr_nodes = 1;
  to->cores_per_socket = to->nr_cpus = cpus;
  to->max_cpu_id = cpus - 1;
  to->cpu_khz = 2000000;
  to->capabilities = all_kinds_of_guests;
  to->total_pages = to->free_pages = 1 << 24;
  return 0;
}
