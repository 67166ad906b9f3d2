/*
 * One request in flight through the kernel's own ring (/dev/xen/xenbus, in dom0 or in a guest) or a unix socket; the kernel adds its part, the same
 * for every daemon. `bench/xenstore-rings.ts` runs it in a box, with our daemon and Debian's in turn.
 *
 *     gcc -O2 -static -o ring bench/xenstore/ring.c
 *     ./ring /dev/xen/xenbus read|writeBYTES|directory|mkdirrm|transaction SECONDS [PATH]
 *
 * Prints: what, how many per second, the longest one in ms. mkdirrm is a MKDIR and an RM, a transaction 12 requests (start, five writes, five
 * reads, end), directory lists 100 names. PATH is a node that may be written; `data/bench` unless given.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { op_directory = 1, op_read = 2, op_start = 6, op_end = 7, op_write = 11, op_mkdir = 12, op_rm = 13, op_event = 15, op_error = 16 };
struct header {
  uint32_t type, request, transaction, length;
};

static int fd;

static void die(const char *what) {
  fprintf(stderr, "ring: %s: %s\n", what, strerror(errno));
  exit(1);
}
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
static void get(void *into, size_t size) {
  for (char *at = into; size > 0;) {
    ssize_t n = read(fd, at, size);
    if (n <= 0) die("read");
    at += n;
    size -= n;
  }
}
static void put(const void *from, size_t size) {
  for (const char *at = from; size > 0;) {
    ssize_t n = write(fd, at, size);
    if (n <= 0) die("write");
    at += n;
    size -= n;
  }
}
static char answer[8192];
static uint32_t transaction;
static void ask(uint32_t type, const char *payload, uint32_t length) {
  static char frame[8192];
  static uint32_t request;
  struct header h = {type, ++request, transaction, length};
  memcpy(frame, &h, sizeof h);
  memcpy(frame + sizeof h, payload, length);
  put(frame, sizeof h + length);
  do {
    get(&h, sizeof h);
    if (h.length >= sizeof answer) die("an answer that is too long");
    get(answer, h.length);
  } while (h.type == op_event);
  answer[h.length] = 0;
  if (h.type == op_error || h.request != request) {
    fprintf(stderr, "ring: refused: %s\n", answer);
    exit(1);
  }
}
static void connect_to(const char *where) {
  struct stat s;
  if (stat(where, &s)) die(where);
  if (!S_ISSOCK(s.st_mode)) {
    if ((fd = open(where, O_RDWR)) < 0) die(where);
    return;
  }
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, where, sizeof address.sun_path - 1);
  fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) die(where);
}

static char payload[8192];
static uint32_t prefix;
static int size;

static void read_it(void) { ask(op_read, payload, prefix); }
static void write_it(void) { ask(op_write, payload, prefix + size); }
static void list_it(void) { ask(op_directory, payload, prefix); }
static void make_and_remove(void) {
  ask(op_mkdir, payload, prefix);
  ask(op_rm, payload, prefix);
}
static void transact(void) {
  ask(op_start, "", 1);
  transaction = atoi(answer);
  for (int i = 0; i < 5; i++) {
    write_it();
    read_it();
  }
  ask(op_end, "T", 2);
  transaction = 0;
}
static void fill(const char *path) {
  for (int i = 0; i < 100; i++) {
    char name[256];
    int length = snprintf(name, sizeof name - 1, "%s/%03d", path, i);
    ask(op_write, name, length + 1);
  }
}

int main(int count, char **args) {
  if (count < 4) {
    fprintf(stderr, "usage: ring DEVICE|SOCKET read|writeBYTES|directory|mkdirrm|transaction SECONDS [PATH]\n");
    return 2;
  }
  const char *what = args[2], *path = count > 4 ? args[4] : "data/bench";
  int writes = !strncmp(what, "write", 5);
  double seconds = atof(args[3]), longest = 0;
  void (*work)(void) = read_it;
  if (writes) work = write_it;
  if (!strcmp(what, "directory")) work = list_it;
  if (!strcmp(what, "mkdirrm")) work = make_and_remove;
  if (!strcmp(what, "transaction")) work = transact;
  size = writes ? atoi(what + 5) : 100;
  prefix = strlen(path) + 1;
  if (size < 1 || prefix + size > 4096) {
    fprintf(stderr, "ring: %s with %s: 1 to %u bytes can be written there\n", what, path, 4096 - prefix);
    return 2;
  }
  memcpy(payload, path, prefix);
  memset(payload + prefix, 'v', size);
  connect_to(args[1]);
  write_it();
  if (work == list_it) fill(path);
  for (int i = 0; i < 50; i++) work();
  int done = 0;
  double begin = now(), before = begin;
  while (before < begin + seconds) {
    work();
    double after = now();
    if (after - before > longest) longest = after - before;
    before = after;
    done++;
  }
  printf("%s %.0f/s longest %.1f ms\n", what, done / (before - begin), longest * 1e3);
  return 0;
}
