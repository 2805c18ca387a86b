/* role/role_net.c - see role_net.h. */
#include "role/role_net.h"

#include <malloc.h>

#include "base/log.h"

#define HEAPS_MAX           2
#define TRIM_OCTETS         (256 * KIB)
#define TRIM_EVERY          8u /* calls, a second each: it looks at every free piece */
#define TRIM_FALL           (4 * MIB)
#define THREADS_MAX         4000u
#define THREADS_SHARE       1000u /* of one source network before sign-in */
#define HANDSHAKE_MS        30000u
#define UNIT_MS             300000u /* RFC 5321 §4.5.3.2: five minutes for a command */
#define DATA_RATE           100u    /* octets per second, on average */
#define WRITE_STALL_MS      300000u
#define WRITE_RATE          100u

/* Sessions live long and hold little: many heaps would each keep the peaks of the threads that ran in them. */
static void heaps_bound(void)
{
	mallopt(M_ARENA_MAX, HEAPS_MAX);
	mallopt(M_TRIM_THRESHOLD, (int)TRIM_OCTETS);
}

bool role_net_tls(struct role *r, struct net_tls **ret, const char **ret_why)
{
	const char *why = "";

	*ret = NULL;
	heaps_bound();
	net_tls_preload();
	if (r->key.n == 0 || net_tls_server(r->certificate, r->key, ret, &why) == ST_OK)
		return true;
	*ret_why = arena_printf(r->arena, "tls.certificate, tls.key: %s", why).p;
	return false;
}

static struct net_limits limits_of(const struct config *c)
{
	return (struct net_limits){
		.connections = c->connections,
		.per_address = c->connections_per_address,
		.per_network = c->connections_per_network,
		.threads = THREADS_MAX,
		.threads_per_network = THREADS_SHARE,
		.handshake_ms = HANDSHAKE_MS,
		.unit_ms = UNIT_MS,
		.data_rate = DATA_RATE,
		.write_stall_ms = WRITE_STALL_MS,
		.write_rate = WRITE_RATE,
		.memory = c->memory_octets,
		.exempt_loopback = c->lab,
	};
}

struct net *role_net_new(const struct role *r)
{
	struct net_limits limits = limits_of(r->config);

	return net_new(&limits);
}

void role_net_trim(struct net *net, struct role_net_trim *t)
{
	struct net_stats s;

	net_stats(net, &s);
	t->peak = MAX(t->peak, s.memory);
	if (++t->calls % TRIM_EVERY != 0 || t->peak - s.memory < TRIM_FALL)
		return;
	malloc_trim(TRIM_OCTETS);
	t->peak = s.memory;
}

void role_net_measure(struct net *net, enum metric sessions, enum metric accepted, enum metric refused)
{
	struct net_stats s;

	net_stats(net, &s);
	metric_set(sessions, s.connections);
	metric_set(accepted, s.accepted - s.refused);
	metric_set(refused, s.refused);
}

void role_net_reload(struct role *r, struct net *net)
{
	struct net_limits limits = limits_of(r->config);
	struct net_tls   *tls;
	const char       *why = "";

	net_set_limits(net, &limits);
	if (!role_net_tls(r, &tls, &why)) {
		log_error("the new certificate is not usable, the old one stays", LOG_C("why", why));
		return;
	}
	net_set_tls(net, tls);
	net_tls_free(&tls);
}
