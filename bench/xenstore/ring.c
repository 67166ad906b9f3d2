/*
 * One request in flight through the kernel's own ring (/dev/xen/xenbus, in dom0 or in a guest) or a unix socket; the kernel adds its part, the same
 * for every daemon. In a box: build it static, push it, and run it once with our daemon and once with Debian's.
 *
 *     gcc -O2 -static -o ring bench/xenstore/ring.c
 *     ./ring /dev/xen/xenbus read|write100|write1900 SECONDS [PATH]
 *
 * Prints: what, requests per second, the longest one in ms. PATH is a node that may be written; `data/bench` unless given.
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

enum { op_read = 2, op_write = 11, op_event = 15, op_error = 16 };
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
static void ask(uint32_t type, const char *payload, uint32_t length) {
  static char frame[8192], answer[8192];
  static uint32_t request;
  struct header h = {type, ++request, 0, length};
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

int main(int count, char **args) {
  if (count < 4) {
    fprintf(stderr, "usage: ring DEVICE|SOCKET read|write100|write1900 SECONDS [PATH]\n");
    return 2;
  }
  const char *what = args[2], *path = count > 4 ? args[4] : "data/bench";
  int writes = !strncmp(what, "write", 5), size = writes ? atoi(what + 5) : 100;
  double seconds = atof(args[3]), longest = 0;
  static char payload[8192];
  uint32_t prefix = strlen(path) + 1;
  memcpy(payload, path, prefix);
  memset(payload + prefix, 'v', size);
  connect_to(args[1]);
  ask(op_write, payload, prefix + size);
  for (int i = 0; i < 50; i++) ask(op_read, payload, prefix);
  int done = 0;
  double begin = now(), before = begin;
  while (before < begin + seconds) {
    if (writes) ask(op_write, payload, prefix + size);
    else ask(op_read, payload, prefix);
    double after = now();
    if (after - before > longest) longest = after - before;
    before = after;
    done++;
  }
  printf("%s %.0f/s longest %.1f ms\n", what, done / (before - begin), longest * 1e3);
  return 0;
}
