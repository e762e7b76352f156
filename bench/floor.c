/*
 * The least that any sampler must pay: ask sock_diag, receive, discard.
 *
 * Usage: floor REQUEST REPETITIONS, the request as hexadecimal digits.
 * Prints one line a repetition: processor time (user and system) and wall time, both in seconds,
 * then the bytes received.
 *
 * The socket is opened anew each time, as a program must that keeps no namespace alive.
 */
#include "floor.h"

int main(int argc, char **argv)
{
	static struct request request;

	if (argc != 3) {
		fprintf(stderr, "usage: floor REQUEST REPETITIONS\n");
		return 2;
	}
	read_request(&request, argv[1]);
	for (int left = atoi(argv[2]); left > 0; left--) {
		double cpu = cpu_seconds(), wall = wall_seconds();
		int channel = open_channel();
		long long received = dump(channel, &request);

		close(channel);
		printf("%.6f %.6f %lld\n", cpu_seconds() - cpu, wall_seconds() - wall, received);
	}
	return 0;
}
