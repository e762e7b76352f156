/*
 * The reference for short episodes: looks at the accept queue of one TCP listener every 2 ms.
 *
 * Usage: watcher PORT, on 127.0.0.1, until standard input is closed.
 * Prints one line an episode in which the queue was full: its first and last look, in seconds of
 * CLOCK_MONOTONIC; then "total EPISODES SECONDS LONGEST_GAP", where an episode counts from its first
 * look to the first look that found room again, and the gap is the longest between two looks.
 *
 * It asks for that one socket by its address, so what it costs does not depend on the load.
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

struct question {
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

/* Full means more than the backlog: the queue admits one more than listen() was told. */
static int is_full(int channel, const struct question *question)
{
	char answer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
	const struct inet_diag_msg *row = NLMSG_DATA(header);

	if (send(channel, question, sizeof(*question), 0) < 0)
		fail("cannot send");
	if (recv(channel, answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(*row)))
		fail("cannot receive");
	return header->nlmsg_type == SOCK_DIAG_BY_FAMILY && row->idiag_rqueue > row->idiag_wqueue;
}

int main(int argc, char **argv)
{
	struct question question = {
		.header = { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST },
		.body = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u,
			  .id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
	};
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct timespec next, now;
	double since = 0, last = 0, total = 0, gap = 0, before;
	int full = 0, episodes = 0;
	int channel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (argc != 2) {
		fprintf(stderr, "usage: watcher PORT\n");
		return 2;
	}
	if (channel < 0)
		fail("cannot open a sock_diag socket");
	question.body.id.idiag_sport = htons((unsigned short)atoi(argv[1]));
	question.body.id.idiag_src[0] = htonl(INADDR_LOOPBACK);
	clock_gettime(CLOCK_MONOTONIC, &next);
	before = seconds(&next);
	while (poll(&input, 1, 0) == 0) {
		int was_full = full;

		full = is_full(channel, &question);
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
