/* deliver/remote_dane.c - the rules are in remote_dane.h. */
#include "deliver/remote_dane.h"

#define TEXT_MAX ((size_t)4 * KIB) /* of records, for reports */

struct search {
	const struct remote *remote;
	struct arena        *arena;
	struct remote_dane  *dane;
};

/* False: FAILED. */
static bool ask(struct search *s, struct str name, enum dns_type type, struct dns_lookup_reply *ret)
{
	const struct remote_resolver *dns = &s->remote->resolver;
	enum status                   st = dns->lookup(dns->ctx, name, type, s->arena, ret);

	if (st == ST_OK) {
		if (ret->rcode != DNS_NOERROR)
			ret->record_count = 0;
		return true;
	}
	s->dane->state = REMOTE_DANE_FAILED;
	s->dane->why = remote_lookup_failure(s->arena, st, STR("4.7.5"), name, type);
	return false;
}

static void records_take(struct search *s, struct str base, const struct dns_lookup_reply *reply)
{
	struct buf text;

	s->dane->base = base;
	trust_dane_read(reply->records, reply->record_count, s->arena, &s->dane->set);
	s->dane->state = s->dane->set.count > 0 ? REMOTE_DANE_USABLE : REMOTE_DANE_UNUSABLE;
	buf_init(&text, TEXT_MAX);
	(void)!trust_dane_print(reply->records, reply->record_count, &text); /* what fits */
	s->dane->text = arena_dup(s->arena, str_trim(buf_str(&text)));
	buf_done(&text);
}

/* Records for one name. True: the search is over. A name too long for the prefix has none. */
static bool base_ask(struct search *s, struct str base, unsigned port)
{
	struct dns_lookup_reply reply;

	if (base.n == 0 || base.n > LIMIT_DOMAIN - STR("_65535._tcp.").n)
		return false;
	if (!ask(s, arena_printf(s->arena, "_%u._tcp.%.*s", port, STR_FMT(base)), DNS_TLSA, &reply))
		return true;
	if (reply.security != DNS_SECURE || reply.record_count == 0)
		return false;
	records_take(s, base, &reply);
	return true;
}

/* Insecure addresses: the zone that they are in is not signed, but the host's own may be, if it is an alias. */
static bool own_zone_signed(struct search *s, const struct remote_host *h)
{
	struct dns_lookup_reply reply;

	return h->alias.n > 0 && ask(s, h->name, DNS_CNAME, &reply) && reply.security == DNS_SECURE && reply.record_count > 0;
}

const struct remote_dane *remote_dane_find(const struct remote *remote, struct arena *a, const struct remote_target *target)
{
	struct remote_host *h = target->at;
	struct search       s = { remote, a, NULL };

	if (h->dane)
		return h->dane;
	s.dane = ARENA_NEW(a, struct remote_dane);
	*s.dane = (struct remote_dane){ .state = REMOTE_DANE_NONE, .base = STR(""), .text = STR("") };
	h->dane = s.dane;
	if (h->is_address || !h->secure_name)
		return h->dane;
	if (h->secure_address ? !base_ask(&s, h->alias, target->port) : own_zone_signed(&s, h))
		(void)base_ask(&s, h->name, target->port);
	return h->dane;
}
