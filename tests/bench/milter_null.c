/* milter_null - a milter that wants to see everything and changes nothing: what the protocol itself costs. One thread for each connection.
 *
 *   milter_null --port P        on loopback, until its standard input ends
 *
 * Sendmail's milter protocol, version 6: packets of a length (4 octets, most significant first), a command and its data. Every command but macros,
 * abort and the ends is answered with "continue".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET_MAX (1024u * 1024)

static bool read_all(int fd, void *p, size_t n)
{
	for (char *at = p; n > 0;) {
		ssize_t got = read(fd, at, n);

		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

static bool answer(int fd, char command, const void *data, size_t n)
{
	char     packet[64];
	uint32_t length = htonl((uint32_t)n + 1);

	memcpy(packet, &length, 4);
	packet[4] = command;
	if (n > 0)
		memcpy(packet + 5, data, n);
	return send(fd, packet, n + 5, MSG_NOSIGNAL) == (ssize_t)n + 5;
}

/* Version 6, no change asked for, no step left out. */
static bool negotiate(int fd)
{
	const uint32_t terms[3] = { htonl(6), 0, 0 };

	return answer(fd, 'O', terms, sizeof(terms));
}

static void *serve(void *arg)
{
	int   fd = (int)(intptr_t)arg;
	char *packet = malloc(PACKET_MAX);

	for (uint32_t length; packet && read_all(fd, &length, 4);) {
		bool going = true;

		length = ntohl(length);
		if (length == 0 || length > PACKET_MAX || !read_all(fd, packet, length))
			break;
		switch (packet[0]) {
		case 'O': going = negotiate(fd); break;
		case 'D': case 'A': case 'K': break; /* macros, abort, end of a session: no answer */
		case 'Q': going = false; break;
		default:  going = answer(fd, 'c', NULL, 0); break;
		}
		if (!going)
			break;
	}
	free(packet);
	close(fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	int listener = (int)(intptr_t)arg, fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		pthread_t thread;

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
			close(fd);
		else
			pthread_detach(thread);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int                listener = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t          thread;
	char               c;

	if (argc != 3 || strcmp(argv[1], "--port") != 0) {
		fprintf(stderr, "usage: milter_null --port P\n");
		return 2;
	}
	at.sin_port = htons((uint16_t)atoi(argv[2]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(listener, 1000) != 0) {
		fprintf(stderr, "milter_null: %s\n", strerror(errno));
		return 1;
	}
	if (pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener) != 0)
		return 1;
	while (read(STDIN_FILENO, &c, 1) > 0)
		continue;
	return 0;
}
