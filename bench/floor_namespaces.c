/*
 * The least that a look into many network namespaces must cost: go in, ask sock_diag, receive, discard.
 *
 * Usage: floor_namespaces REPETITIONS REQUEST..., the requests as hexadecimal digits. Standard input has
 * the number of one process of each namespace.
 * Prints one line a pass over all namespaces: processor time (user and system) and wall time, both in
 * seconds, then the bytes received.
 *
 * Nothing stays open between passes, as that would keep namespaces alive. Within a namespace one socket
 * serves all requests.
 */
#define _GNU_SOURCE
#include "floor.h"

#include <fcntl.h>
#include <sched.h>

enum { MOST_NAMESPACES = 10000, MOST_REQUESTS = 8, PATH_BYTES = 32 };

static int pids[MOST_NAMESPACES];
static struct request requests[MOST_REQUESTS];

static int namespace_of(int pid)
{
	char path[PATH_BYTES];
	int opened;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	opened = open(path, O_RDONLY | O_CLOEXEC);
	if (opened < 0)
		fail(path);
	return opened;
}

static long long look_into(int pid, int count)
{
	int namespace = namespace_of(pid), channel;
	long long received = 0;

	if (setns(namespace, CLONE_NEWNET) < 0)
		fail("cannot enter a namespace");
	close(namespace);
	channel = open_channel();
	for (int i = 0; i < count; i++)
		received += dump(channel, &requests[i]);
	close(channel);
	return received;
}

int main(int argc, char **argv)
{
	int home, namespaces = 0, count = argc - 2;

	if (count < 1 || count > MOST_REQUESTS) {
		fprintf(stderr, "usage: floor_namespaces REPETITIONS REQUEST...\n");
		return 2;
	}
	for (int i = 0; i < count; i++)
		read_request(&requests[i], argv[i + 2]);
	while (namespaces < MOST_NAMESPACES && scanf("%d", &pids[namespaces]) == 1)
		namespaces++;
	home = namespace_of(getpid());
	for (int left = atoi(argv[1]); left > 0; left--) {
		double cpu = cpu_seconds(), wall = wall_seconds();
		long long received = 0;

		for (int i = 0; i < namespaces; i++)
			received += look_into(pids[i], count);
		if (setns(home, CLONE_NEWNET) < 0)
			fail("cannot come home");
		printf("%.6f %.6f %lld\n", cpu_seconds() - cpu, wall_seconds() - wall, received);
	}
	return 0;
}
