/*
 * The least that a sample of many network namespaces can cost: send requests to sock_diag, receive the dumps,
 * discard them.
 *
 * Usage: baseline_namespaces REPETITIONS PERIOD REQUEST..., the period in milliseconds, the requests as
 * hexadecimal digits. Standard input has the id of one process of each namespace.
 * Prints one line for each sample of all namespaces: processor time (user and system) and wall time, both in
 * seconds, then the bytes received.
 *
 * One socket in each namespace serves all requests, and stays open from one sample to the next. Samples begin
 * one period apart, or at once where the one before took longer: as many caches are cold as in a program that
 * samples at that pace.
 */
#define _GNU_SOURCE
#include "baseline.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>

enum {
	MAX_NAMESPACES = 10000,
	MAX_REQUESTS = 8,
	PATH_BYTES = 32,
	MILLISECOND = 1000000,
	SECOND = 1000000000,
};

static int sockets[MAX_NAMESPACES];
static struct request requests[MAX_REQUESTS];

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail("cannot read the limit of descriptors");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail("cannot raise the limit of descriptors");
}

static int open_netlink_of(int pid)
{
	char path[PATH_BYTES];
	int namespace;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	namespace = open(path, O_RDONLY | O_CLOEXEC);
	if (namespace < 0)
		fail(path);
	if (setns(namespace, CLONE_NEWNET) < 0)
		fail("cannot enter a namespace");
	close(namespace);
	return open_netlink();
}

static void wait_until(struct timespec *due, long period)
{
	struct timespec now;

	due->tv_sec += period / SECOND;
	due->tv_nsec += period % SECOND;
	if (due->tv_nsec >= SECOND) {
		due->tv_nsec -= SECOND;
		due->tv_sec++;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > due->tv_sec || (now.tv_sec == due->tv_sec && now.tv_nsec > due->tv_nsec))
		*due = now;
	else
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL);
}

int main(int argc, char **argv)
{
	int pid, namespaces = 0, count = argc - 3;
	struct timespec due;

	if (count < 1 || count > MAX_REQUESTS) {
		fprintf(stderr, "usage: baseline_namespaces REPETITIONS PERIOD REQUEST...\n");
		return 2;
	}
	for (int i = 0; i < count; i++)
		read_request(&requests[i], argv[i + 3]);
	raise_descriptor_limit();
	while (namespaces < MAX_NAMESPACES && scanf("%d", &pid) == 1)
		sockets[namespaces++] = open_netlink_of(pid);
	clock_gettime(CLOCK_MONOTONIC, &due);
	for (int left = atoi(argv[1]); left > 0; left--) {
		double cpu = cpu_seconds(), wall = wall_seconds();
		long long received = 0;

		for (int i = 0; i < namespaces; i++)
			for (int j = 0; j < count; j++)
				received += dump(sockets[i], &requests[j]);
		printf("%.6f %.6f %lld\n", cpu_seconds() - cpu, wall_seconds() - wall, received);
		wait_until(&due, atol(argv[2]) * MILLISECOND);
	}
	return 0;
}
