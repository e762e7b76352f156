/*
 * Shared by the baseline programs: clocks, requests in hexadecimal digits, and dumps from sock_diag.
 */
#ifndef BASELINE_H
#define BASELINE_H

#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RECEIVE_BYTES = 65536, REQUEST_BYTES = 4096 };

struct request {
	unsigned char bytes[REQUEST_BYTES];
	size_t size;
};

static char buffer[RECEIVE_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double cpu_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static double wall_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void read_request(struct request *request, const char *digits)
{
	if (strlen(digits) / 2 > REQUEST_BYTES) {
		fprintf(stderr, "a request has more than %d bytes\n", REQUEST_BYTES);
		exit(2);
	}
	for (; sscanf(digits, "%2hhx", &request->bytes[request->size]) == 1; digits += 2)
		request->size++;
}

/* NLMSG_DONE ends a dump. */
static int finished(char *data, ssize_t length)
{
	struct nlmsghdr *message = (struct nlmsghdr *)data;

	for (int left = (int)length; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
		if (message->nlmsg_type == NLMSG_ERROR) {
			fprintf(stderr, "sock_diag refused the request\n");
			exit(1);
		}
		if (message->nlmsg_type == NLMSG_DONE)
			return 1;
	}
	return 0;
}

static int open_netlink(void)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (netlink < 0 || connect(netlink, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		fail("cannot open a sock_diag socket");
	return netlink;
}

static long long dump(int netlink, const struct request *request)
{
	long long received = 0;
	ssize_t length;

	if (send(netlink, request->bytes, request->size, 0) < 0)
		fail("cannot send the request");
	do {
		length = recv(netlink, buffer, sizeof(buffer), 0);
		if (length < 0)
			fail("cannot receive");
		received += length;
	} while (!finished(buffer, length));
	return received;
}

#endif
