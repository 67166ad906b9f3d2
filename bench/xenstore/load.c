/*
 * Asks a xenstored as fast as it answers, and measures: one program for every daemon, so that what it costs itself is the same for all.
 *
 *   load SOCKET read|write|mkdirrm|directory|tx|watch CONNECTIONS DEPTH SECONDS
 *   load SOCKET populate NODES
 *
 * Each connection keeps DEPTH requests in flight. `tx` is start, five reads, five writes and commit, each on nodes of its own; `watch` is the
 * time from a write's sending to its event on another connection. Prints one line of JSON: operations per second, the median and
 * 99th percentile of the latency in microseconds, errors, commits that met a conflict.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { DIRECTORY = 1, READ, WATCH = 4, START = 6, END, WRITE = 11, MKDIR, RM, EVENT = 15, FAIL };
enum { MAXDEPTH = 256, SLOTS = 1 << 20, STEPS = 12 };
struct head { uint32_t type, request, transaction, length; };
struct peer {
	int fd, id, step;
	uint64_t serial;
	uint32_t transaction;
	char in[1 << 16], out[1 << 16];
	size_t filled, queued;
	double sent[MAXDEPTH];
	unsigned first, last;
};

static const char *path;
static float *taken;
static size_t samples;
static unsigned long done, errors, conflicts;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int dial(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die(path);
	return fd;
}

static void put(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, bytes, n);

		if (k < 0)
			die("write");
		bytes += k;
		n -= k;
	}
}

static void get(int fd, void *to, size_t n)
{
	while (n > 0) {
		ssize_t k = read(fd, to, n);

		if (k <= 0)
			die("read");
		to = (char *)to + k;
		n -= k;
	}
}

/* A frame: a path with its NUL, then a value. */
static size_t frame(char *to, uint32_t type, uint32_t request, uint32_t transaction, const char *name, const char *value)
{
	size_t n = strlen(name) + 1, m = strlen(value);
	struct head head = { type, request, transaction, n + m };

	memcpy(to, &head, sizeof(head));
	memcpy(to + sizeof(head), name, n);
	memcpy(to + sizeof(head) + n, value, m);
	return sizeof(head) + n + m;
}

/* One request and its reply, on a connection that nobody else uses meanwhile. */
static void ask(int fd, uint32_t type, const char *name, const char *value)
{
	char bytes[4200];
	struct head head;

	put(fd, bytes, frame(bytes, type, 1, 0, name, value));
	do {
		get(fd, &head, sizeof(head));
		get(fd, bytes, head.length);
	} while (head.type == EVENT);
}

static size_t next(struct peer *p, const char *test, char *to)
{
	char name[64], value[32];
	uint64_t n = p->serial++;

	snprintf(value, sizeof(value), "value-%012llu", (unsigned long long)n);
	if (!strcmp(test, "directory"))
		return frame(to, DIRECTORY, n, 0, "/bench/dir", "");
	if (!strcmp(test, "mkdirrm")) {
		snprintf(name, sizeof(name), "/bench/%d/new%d", p->id, (int)(n / 2 % 10));
		return frame(to, n & 1 ? RM : MKDIR, n, 0, name, "");
	}
	if (!strcmp(test, "tx")) {
		if (p->step == 0)
			return frame(to, START, n, 0, "", "");
		if (p->step == STEPS - 1)
			return frame(to, END, n, p->transaction, "T", "");
		snprintf(name, sizeof(name), "/bench/%d/key%d", p->id, (p->step - 1) / 2);
		return frame(to, p->step & 1 ? READ : WRITE, n, p->transaction, name, p->step & 1 ? "" : value);
	}
	snprintf(name, sizeof(name), "/bench/%d/key%d", p->id, (int)(n % 10));
	return !strcmp(test, "write") ? frame(to, WRITE, n, 0, name, value) : frame(to, READ, n, 0, name, "");
}

static void sample(double seconds)
{
	if (samples < SLOTS)
		taken[samples++] = seconds * 1e6;
}

static void send_next(struct peer *p, const char *test, double t)
{
	p->queued += next(p, test, p->out + p->queued);
	p->sent[p->last++ % MAXDEPTH] = t;
}

/* Takes every reply that is whole, and asks again for each. */
static void serve(struct peer *p, const char *test)
{
	ssize_t k = read(p->fd, p->in + p->filled, sizeof(p->in) - p->filled);
	size_t at = 0;
	int tx = !strcmp(test, "tx");
	double t = now();

	if (k <= 0)
		die("read");
	p->filled += k;
	while (p->filled - at >= sizeof(struct head)) {
		struct head head;
		char *payload = p->in + at + sizeof(head);

		memcpy(&head, p->in + at, sizeof(head));
		if (p->filled - at < sizeof(head) + head.length)
			break;
		at += sizeof(head) + head.length;
		if (head.type == EVENT)
			continue;
		if (head.type == FAIL) {
			if (tx && p->step == STEPS - 1 && !strncmp(payload, "EAGAIN", 6))
				conflicts++;
			else
				errors++;
		}
		if (!tx) {
			sample(t - p->sent[p->first++ % MAXDEPTH]);
			done++;
		} else {
			double began = p->sent[p->first % MAXDEPTH];

			if (p->step == 0)
				p->transaction = atoi(payload);
			p->step = (p->step + 1) % STEPS;
			if (p->step == 0) {
				sample(t - began);
				done++;
				p->first = p->last;
			} else {
				p->queued += next(p, test, p->out + p->queued);
				continue;
			}
		}
		send_next(p, test, t);
	}
	memmove(p->in, p->in + at, p->filled - at);
	p->filled -= at;
	put(p->fd, p->out, p->queued);
	p->queued = 0;
}

static int rising(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static void report(double seconds)
{
	qsort(taken, samples, sizeof(*taken), rising);
	printf("{\"perSecond\":%.0f,\"p50\":%.1f,\"p99\":%.1f,\"errors\":%lu,\"conflicts\":%lu}\n", done / seconds,
	       samples ? taken[samples / 2] : 0, samples ? taken[samples * 99 / 100] : 0, errors, conflicts);
}

static void prepare(int connections)
{
	int fd = dial();
	char name[64];

	for (int c = 0; c < connections; c++) {
		for (int k = 0; k < 10; k++) {
			snprintf(name, sizeof(name), "/bench/%d/key%d", c, k);
			ask(fd, WRITE, name, "value-000000000000");
			snprintf(name, sizeof(name), "/bench/%d/new%d", c, k);
			ask(fd, RM, name, "");
		}
	}
	for (int k = 0; k < 100; k++) {
		snprintf(name, sizeof(name), "/bench/dir/entry%03d", k);
		ask(fd, WRITE, name, "x");
	}
	close(fd);
}

static void load(const char *test, int connections, int depth, double seconds)
{
	struct peer *peers = calloc(connections, sizeof(*peers));
	struct pollfd *waits = calloc(connections, sizeof(*waits));
	double began = now();

	for (int c = 0; c < connections; c++) {
		peers[c].fd = waits[c].fd = dial();
		peers[c].id = c;
		waits[c].events = POLLIN;
		for (int d = 0; d < (strcmp(test, "tx") ? depth : 1); d++)
			send_next(&peers[c], test, now());
		put(peers[c].fd, peers[c].out, peers[c].queued);
		peers[c].queued = 0;
	}
	while (now() < began + seconds) {
		if (connections > 1 && poll(waits, connections, 1000) < 0)
			die("poll");
		for (int c = 0; c < connections; c++)
			if (connections == 1 || waits[c].revents)
				serve(&peers[c], test);
	}
	report(now() - began);
}

static void watch(double seconds)
{
	int watcher = dial(), writer = dial();
	char bytes[4200];
	struct head head;
	double began = now();

	size_t n = frame(bytes, WATCH, 1, 0, "/bench/watched", "token");

	/* A token ends with a NUL, a value does not. */
	bytes[n++] = 0;
	((struct head *)bytes)->length++;
	put(watcher, bytes, n);
	/* The reply, and the first event. */
	for (int i = 0; i < 2; i++) {
		get(watcher, &head, sizeof(head));
		get(watcher, bytes, head.length);
	}
	while (now() < began + seconds) {
		double t = now();

		put(writer, bytes, frame(bytes, WRITE, 1, 0, "/bench/watched", "x"));
		get(watcher, &head, sizeof(head));
		get(watcher, bytes, head.length);
		sample(now() - t);
		done++;
		get(writer, &head, sizeof(head));
		get(writer, bytes, head.length);
	}
	report(now() - began);
}

static void populate(int nodes)
{
	int fd = dial(), sent = 0, got = 0;
	char bytes[1 << 15], name[64], value[32];
	double began = now();

	while (got < nodes) {
		size_t n = 0;
		struct head head;

		for (; sent < nodes && sent - got < 64; sent++) {
			snprintf(name, sizeof(name), "/many/%d/%d", sent / 100, sent % 100);
			snprintf(value, sizeof(value), "value-%012d", sent);
			n += frame(bytes + n, WRITE, sent, 0, name, value);
		}
		put(fd, bytes, n);
		get(fd, &head, sizeof(head));
		get(fd, bytes, head.length);
		errors += head.type == FAIL;
		got++;
	}
	done = nodes;
	report(now() - began);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: load SOCKET TEST CONNECTIONS DEPTH SECONDS | load SOCKET populate NODES\n");
		return 2;
	}
	path = argv[1];
	taken = malloc(SLOTS * sizeof(*taken));
	if (!strcmp(argv[2], "populate")) {
		populate(atoi(argv[3]));
		return 0;
	}
	if (argc < 6)
		return 2;
	prepare(16);
	if (!strcmp(argv[2], "watch"))
		watch(atof(argv[5]));
	else
		load(argv[2], atoi(argv[3]), atoi(argv[4]), atof(argv[5]));
	return 0;
}
