/*
 * The least that a sample of many network namespaces can cost: enter, send requests to sock_diag, receive the
 * dumps, discard them.
 *
 * Usage: baseline_namespaces REPETITIONS REQUEST..., the requests as hexadecimal digits. Standard input has
 * the id of one process of each namespace.
 * Prints one line for each sample of all namespaces: processor time (user and system) and wall time, both in
 * seconds, then the bytes received.
 *
 * Nothing stays open between samples, since it would keep the namespaces in existence. One socket in each
 * namespace serves all requests.
 */
#define _GNU_SOURCE
#include "baseline.h"

#include <fcntl.h>
#include <sched.h>

enum { MAX_NAMESPACES = 10000, MAX_REQUESTS = 8, PATH_BYTES = 32 };

static int pids[MAX_NAMESPACES];
static struct request requests[MAX_REQUESTS];

static int open_namespace(int pid)
{
	char path[PATH_BYTES];
	int opened;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	opened = open(path, O_RDONLY | O_CLOEXEC);
	if (opened < 0)
		fail(path);
	return opened;
}

static long long dump_namespace(int pid, int count)
{
	int namespace = open_namespace(pid), netlink;
	long long received = 0;

	if (setns(namespace, CLONE_NEWNET) < 0)
		fail("cannot enter a namespace");
	close(namespace);
	netlink = open_netlink();
	for (int i = 0; i < count; i++)
		received += dump(netlink, &requests[i]);
	close(netlink);
	return received;
}

int main(int argc, char **argv)
{
	int own, namespaces = 0, count = argc - 2;

	if (count < 1 || count > MAX_REQUESTS) {
		fprintf(stderr, "usage: baseline_namespaces REPETITIONS REQUEST...\n");
		return 2;
	}
	for (int i = 0; i < count; i++)
		read_request(&requests[i], argv[i + 2]);
	while (namespaces < MAX_NAMESPACES && scanf("%d", &pids[namespaces]) == 1)
		namespaces++;
	own = open_namespace(getpid());
	for (int left = atoi(argv[1]); left > 0; left--) {
		double cpu = cpu_seconds(), wall = wall_seconds();
		long long received = 0;

		for (int i = 0; i < namespaces; i++)
			received += dump_namespace(pids[i], count);
		if (setns(own, CLONE_NEWNET) < 0)
			fail("cannot return to the own namespace");
		printf("%.6f %.6f %lld\n", cpu_seconds() - cpu, wall_seconds() - wall, received);
	}
	return 0;
}
