/*
 * The least that any sampler must pay: ask sock_diag, receive, discard.
 *
 * Usage: floor REQUEST REPETITIONS, the request as hexadecimal digits.
 * Prints one line a repetition: processor time (user and system) and wall time, both in seconds,
 * then the bytes received.
 *
 * The socket is opened anew each time, as a program must that keeps no namespace alive.
 */
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RECEIVE_BYTES = 65536, REQUEST_BYTES = 4096 };

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

/* The last message of the last datagram is NLMSG_DONE, so only the chain's end has to be found. */
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

static long long dump(const unsigned char *request, size_t size)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	long long received = 0;
	ssize_t length;
	int channel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (channel < 0 || connect(channel, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		fail("cannot open a sock_diag socket");
	if (send(channel, request, size, 0) < 0)
		fail("cannot send the request");
	do {
		length = recv(channel, buffer, sizeof(buffer), 0);
		if (length < 0)
			fail("cannot receive");
		received += length;
	} while (!finished(buffer, length));
	close(channel);
	return received;
}

int main(int argc, char **argv)
{
	static unsigned char request[REQUEST_BYTES];
	size_t size = 0;

	if (argc != 3 || strlen(argv[1]) / 2 > REQUEST_BYTES) {
		fprintf(stderr, "usage: floor REQUEST REPETITIONS\n");
		return 2;
	}
	for (const char *digits = argv[1]; sscanf(digits, "%2hhx", &request[size]) == 1; digits += 2)
		size++;
	for (int left = atoi(argv[2]); left > 0; left--) {
		double cpu = cpu_seconds(), wall = wall_seconds();
		long long received = dump(request, size);

		printf("%.6f %.6f %lld\n", cpu_seconds() - cpu, wall_seconds() - wall, received);
	}
	return 0;
}
