/*
 * Reads the accept queue of one TCP listener every 2 ms, to check short episodes against.
 *
 * Usage: queue_watcher PORT, on 127.0.0.1, until standard input is closed.
 * Prints one line for each episode in which the queue was full: its first and last reading, in seconds of
 * CLOCK_MONOTONIC; then "total EPISODES SECONDS LONGEST_GAP", where an episode lasts from its first reading
 * to the first reading that is not full, and the gap is the longest between two readings.
 *
 * It requests that one socket by its address, so its cost does not depend on the other sockets.
 */
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_NANOSECONDS = 2000000, SECOND_NANOSECONDS = 1000000000 };

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds(const struct timespec *time)
{
	return (double)time->tv_sec + (double)time->tv_nsec / 1e9;
}

/* The queue is full with one connection more than the backlog (sk_acceptq_is_full). */
static int is_full(int netlink, const struct request *request)
{
	char reply[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *header = (const struct nlmsghdr *)reply;
	const struct inet_diag_msg *row = NLMSG_DATA(header);

	if (send(netlink, request, sizeof(*request), 0) < 0)
		fail("cannot send");
	if (recv(netlink, reply, sizeof(reply), 0) < (ssize_t)NLMSG_LENGTH(sizeof(*row)))
		fail("cannot receive");
	return header->nlmsg_type == SOCK_DIAG_BY_FAMILY && row->idiag_rqueue > row->idiag_wqueue;
}

int main(int argc, char **argv)
{
	struct request request = {
		.header = { .nlmsg_len = sizeof(request), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST },
		.body = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u,
			  .id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
	};
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct timespec next, now;
	double since = 0, last = 0, total = 0, gap = 0, before;
	int full = 0, episodes = 0;
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (argc != 2) {
		fprintf(stderr, "usage: queue_watcher PORT\n");
		return 2;
	}
	if (netlink < 0)
		fail("cannot open a sock_diag socket");
	request.body.id.idiag_sport = htons((unsigned short)atoi(argv[1]));
	request.body.id.idiag_src[0] = htonl(INADDR_LOOPBACK);
	clock_gettime(CLOCK_MONOTONIC, &next);
	before = seconds(&next);
	while (poll(&input, 1, 0) == 0) {
		int was_full = full;

		full = is_full(netlink, &request);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (seconds(&now) - before > gap)
			gap = seconds(&now) - before;
		before = seconds(&now);
		if (full && !was_full)
			since = before;
		if (full)
			last = before;
		if (was_full && !full) {
			episodes++;
			total += before - since;
			printf("%.6f %.6f\n", since, last);
		}
		next.tv_nsec += PERIOD_NANOSECONDS;
		if (next.tv_nsec >= SECOND_NANOSECONDS) {
			next.tv_nsec -= SECOND_NANOSECONDS;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	printf("total %d %.6f %.6f\n", episodes, total, gap);
	return 0;
}
