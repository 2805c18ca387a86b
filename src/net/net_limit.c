/* net/net_limit.c - what one address, one network and all together may take.
 *
 * A source is an address (IPv4, or IPv6 /64) or a network (/24, /48) that has connections; it goes with the last of them.
 * A source's wait list holds connections that are owned but have no thread, because others of their network have taken its share;
 * whoever gives a share back hands it to the first of them.
 */
#include "net/net_int.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool net_memory_take(struct net *net, size_t octets)
{
	struct net_limits limits;
	size_t            before;

	net_limits_get(net, &limits);
	before = atomic_fetch_add(&net->memory, octets);
	if (limits.memory == 0 || (octets <= limits.memory && before <= limits.memory - octets))
		return true;
	atomic_fetch_sub(&net->memory, octets);
	return false;
}

void net_memory_give(struct net *net, size_t octets)
{
	size_t before = atomic_fetch_sub(&net->memory, octets);

	CHECK(before >= octets);
}

/* ---- sources ---- */

static struct str key_of(const struct net_source *s)
{
	return str_n(s->key, sizeof(s->key));
}

/* With source_lock. */
static struct net_source *source_get(struct net *net, const char key[static 9], bool is_network)
{
	struct net_source *s = map_find(&net->sources, str_n(key, 9));

	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s) {
			fprintf(stderr, "postrider: out of memory\n");
			abort();
		}
		memcpy(s->key, key, 9);
		s->is_network = is_network;
		pthread_mutex_init(&s->lock, NULL);
		map_put(&net->sources, key_of(s), s);
	}
	s->refs++;
	return s;
}

/* With source_lock. */
static void source_put(struct net *net, struct net_source **sp)
{
	struct net_source *s = *sp;

	*sp = NULL;
	if (!s || --s->refs > 0)
		return;
	CHECK(!s->wait_first && s->busy == 0);
	map_remove(&net->sources, key_of(s));
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* The keys: a letter for the kind, then the leading octets of the address. */
static bool keys_of(struct str peer, char address[static 9], char network[static 9])
{
	unsigned char a[16];
	char          text[64];

	memset(address, 0, 9);
	memset(network, 0, 9);
	if (!str_to_c(peer, text, sizeof(text)))
		return false;
	if (inet_pton(AF_INET, text, a) == 1) {
		address[0] = 'a';
		memcpy(address + 1, a, 4);
		network[0] = 'n';
		memcpy(network + 1, a, 3);
		return true;
	}
	if (inet_pton(AF_INET6, text, a) != 1)
		return false;
	address[0] = 'A';
	memcpy(address + 1, a, 8);
	network[0] = 'N';
	memcpy(network + 1, a, 6);
	return true;
}

bool net_source_add(struct net_conn *c, const struct net_limits *limits, struct str peer)
{
	struct net *net = c->net;
	char        address[9], network[9];
	bool        fits;

	if ((limits->exempt_loopback && c->info.loopback) || !keys_of(peer, address, network))
		return true;
	pthread_mutex_lock(&net->source_lock);
	c->address = source_get(net, address, false);
	c->network = source_get(net, network, true);
	fits = (limits->per_address == 0 || c->address->refs <= limits->per_address) &&
	       (limits->per_network == 0 || c->network->refs <= limits->per_network);
	if (!fits) {
		source_put(net, &c->address);
		source_put(net, &c->network);
	}
	pthread_mutex_unlock(&net->source_lock);
	return fits;
}

void net_source_remove(struct net_conn *c)
{
	if (!c->address)
		return;
	pthread_mutex_lock(&c->net->source_lock);
	source_put(c->net, &c->address);
	source_put(c->net, &c->network);
	pthread_mutex_unlock(&c->net->source_lock);
}

/* ---- shares of threads ---- */

bool net_source_enter(struct net_conn *c)
{
	struct net_source *s = c->network;
	struct net_limits  limits;
	bool               fits;

	if (!s || c->trusted || c->has_share)
		return true;
	net_limits_get(c->net, &limits);
	pthread_mutex_lock(&s->lock);
	fits = limits.threads_per_network == 0 || s->busy < limits.threads_per_network;
	if (fits) {
		s->busy++;
		c->has_share = true;
	} else {
		c->next_queued = NULL;
		if (s->wait_first)
			s->wait_last->next_queued = c;
		else
			s->wait_first = c;
		s->wait_last = c;
	}
	pthread_mutex_unlock(&s->lock);
	return fits;
}

void net_source_leave(struct net_conn *c)
{
	struct net_source *s = c->network;
	struct net_conn   *next;

	if (!c->has_share)
		return;
	c->has_share = false;
	pthread_mutex_lock(&s->lock);
	next = s->wait_first;
	if (next) {
		s->wait_first = next->next_queued;
		next->has_share = true; /* ours: busy stays as it is */
	} else {
		s->busy--;
	}
	pthread_mutex_unlock(&s->lock);
	if (next)
		net_queue_push(c->net, next);
}

void net_trust(struct net_conn *c)
{
	metric_add(c->listener->proto->signin_accepted, 1);
	c->trusted = true;
	net_source_leave(c);
}

void net_distrust(const struct net_conn *c)
{
	metric_add(c->listener->proto->signin_refused, 1);
}
