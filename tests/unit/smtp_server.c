/* tests/unit/smtp_server.c - see smtp_server.h. */
#include "smtp_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/net_cert.h"
#include "net/net_tls.h"

static struct net_tls *tls_new(void)
{
	struct net_tls *tls = NULL;
	struct buf      cert, key;
	const char     *why = NULL;

	buf_init(&cert, 64 * KIB);
	buf_init(&key, 64 * KIB);
	CHECK(net_cert_self_signed(STR("mx.demo.test"), 1, &cert, &key) == ST_OK);
	CHECK(net_tls_server(buf_str(&cert), buf_str(&key), &tls, &why) == ST_OK);
	buf_done(&cert);
	buf_done(&key);
	return tls;
}

static int listener(uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t          n = sizeof(a);
	int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 100) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

void smtp_server_start(struct smtp_server *s)
{
	struct net_limits limits = { .threads = 4 };
	struct net_tls   *tls;

	net_tls_preload();
	tls = tls_new();
	fake_ask_init(&s->ask);
	s->net = net_new(&limits);
	for (unsigned kind = 0; kind < LEN(s->env); kind++) {
		fake_env_init(&s->env[kind], &s->set[kind], kind, &s->ask);
		net_listen(s->net, listener(&s->port[kind]), &smtp_proto, &s->env[kind], tls, false);
	}
	net_run(s->net);
	net_tls_free(&tls);
}

void smtp_server_stop(struct smtp_server *s)
{
	net_drain(s->net, 0);
	net_free(&s->net);
	fake_ask_done(&s->ask);
}
