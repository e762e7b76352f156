/*
 * The least that a sample can cost: send a request to sock_diag, receive the dump, discard it.
 *
 * Usage: baseline REQUEST REPETITIONS, the request as hexadecimal digits.
 * Prints one line a repetition: processor time (user and system) and wall time, both in seconds,
 * then the bytes received.
 *
 * The socket is opened anew each time, since an open one keeps its network namespace in existence.
 */
#include "baseline.h"

int main(int argc, char **argv)
{
	static struct request request;

	if (argc != 3) {
		fprintf(stderr, "usage: baseline REQUEST REPETITIONS\n");
		return 2;
	}
	read_request(&request, argv[1]);
	for (int left = atoi(argv[2]); left > 0; left--) {
		double cpu = cpu_seconds(), wall = wall_seconds();
		int netlink = open_netlink();
		long long received = dump(netlink, &request);

		close(netlink);
		printf("%.6f %.6f %lld\n", cpu_seconds() - cpu, wall_seconds() - wall, received);
	}
	return 0;
}
