/* directory/directory_rule.c - see directory_rule.h. */
#include "directory/directory_rule.h"

#include <arpa/inet.h>

#include "wire/address/address.h"
#include "wire/address/nexthop.h"
#include "wire/sasl/sasl_plain.h"

static bool ip_valid(int family, struct str text)
{
	char    c[LIMIT_IP_TEXT + 1];
	uint8_t octets[16];

	return str_to_c(text, c, sizeof(c)) && inet_pton(family, c, octets) == 1;
}

static bool is_loopback(const struct nexthop *n)
{
	return str_ieq(n->host, STR("localhost")) || str_eq(n->host, STR("::1")) || (n->address && str_starts(n->host, STR("127.")));
}

bool dir_route_via_valid(struct str via)
{
	return via.n <= LIMIT_ROUTE_VIA && !str_has_ctl(via) && (str_eq(via, STR("direct")) || nexthops_or_pipe_valid(via));
}

/* Is `is` true of all hosts? Not of what has none. */
static bool all_hosts(struct str via, bool (*is)(const struct nexthop *n))
{
	struct nexthop n;
	struct str     bad;

	while (via.n > 0)
		if (!nexthop_take(&via, &n, &bad) || !is(&n))
			return false;
	return true;
}

static bool takes_login(const struct nexthop *n)
{
	return !n->mx && !n->lmtp;
}

static bool provable(const struct nexthop *n)
{
	return is_loopback(n) || !n->address;
}

enum hop_tls dir_route_login_tls(struct str via)
{
	return all_hosts(via, is_loopback) ? HOP_TLS_ENCRYPT : HOP_TLS_VERIFY;
}

static const char *login_wrong(const struct auth_route_rule *r)
{
	if (!(r->given & AUTH_ROUTE_VIA))
		return "credentials are for one host: the rule needs a next hop (--via)";
	if (!all_hosts(r->via, takes_login))
		return "credentials are for hosts named by HOST:PORT or smtps:HOST:PORT";
	if ((r->given & AUTH_ROUTE_TLS) && r->hop.tls == HOP_TLS_NEVER)
		return "no credentials are sent in clear: not with --tls never";
	if ((!(r->given & AUTH_ROUTE_TLS) || r->hop.tls == HOP_TLS_VERIFY || r->hop.tls == HOP_TLS_DANE) && !all_hosts(r->via, provable))
		return "no certificate proves an address: name the host, or say --tls encrypt";
	return NULL;
}

const char *dir_route_wrong(const struct auth_route_rule *r)
{
	const struct hop *h = &r->hop;

	if (r->given == 0)
		return "it says nothing";
	if (r->given & ~(uint32_t)AUTH_ROUTE_ALL || h->tls > HOP_TLS_LAST)
		return "it has an unknown attribute";
	if ((r->given & AUTH_ROUTE_VIA) && !dir_route_via_valid(r->via))
		return "the next hop is none of " NEXTHOP_FORMS ", a list of them, pipe:NAME, or direct";
	if ((r->given & AUTH_ROUTE_SOURCE) &&
	    ((h->source4.n == 0 && h->source6.n == 0) || (h->source4.n > 0 && !ip_valid(AF_INET, h->source4)) ||
	     (h->source6.n > 0 && !ip_valid(AF_INET6, h->source6))))
		return "a source is no IP address";
	if ((r->given & AUTH_ROUTE_HELO) && (h->helo.n == 0 || h->helo.n > LIMIT_DOMAIN || !address_domain_is_ascii(h->helo)))
		return "the name for HELO is no host name";
	if ((r->given & AUTH_ROUTE_CONNECTIONS) && (h->connections == 0 || h->connections > LIMIT_ROUTE_CONNECTIONS))
		return "connections: 1 to 1000";
	if ((r->given & AUTH_ROUTE_RATE) && (h->rate == 0 || h->rate > LIMIT_ROUTE_RATE || h->rate_s == 0 || h->rate_s > LIMIT_ROUTE_RATE_S))
		return "a rate is 1 to 1000000 messages in at most a day";
	return r->given & AUTH_ROUTE_LOGIN ? login_wrong(r) : NULL;
}

/* Printable ASCII without blanks. */
static bool word_valid(struct str s)
{
	return s.n > 0 && str_is_ascii(s) && !str_has_ctl(s) && str_find(s, ' ') < 0;
}

static const char *refresh_wrong(const struct auth_login *l)
{
	if (l->endpoint.n > LIMIT_URL || !str_starts(l->endpoint, STR("https://")) || l->endpoint.n < 12 || !word_valid(l->endpoint))
		return "the endpoint that gives tokens is no https:// URL";
	if (!word_valid(l->client) || l->client.n > LIMIT_LOGIN_CLIENT || l->client_secret.n > LIMIT_LOGIN_CLIENT ||
	    (l->client_secret.n > 0 && !word_valid(l->client_secret)))
		return "client_id or client_secret is empty, too long, or has blanks";
	if (l->scope.n > LIMIT_URL || !str_is_ascii(l->scope) || str_has_ctl(l->scope))
		return "the scope is too long, or no text";
	return word_valid(l->secret) && l->secret.n <= LIMIT_BEARER ? NULL : "the refresh token is none";
}

const char *dir_login_wrong(const struct auth_login *l)
{
	if (!sasl_text_valid(l->user, LIMIT_USER) || str_has_ctl(l->user))
		return "the user name is empty, too long, or no text";
	if (l->kind == AUTH_LOGIN_PASSWORD)
		return sasl_text_valid(l->secret, LIMIT_PASSWORD) ? NULL : "the password is empty, too long, or no text";
	if (l->kind == AUTH_LOGIN_TOKEN)
		return word_valid(l->secret) && l->secret.n <= LIMIT_BEARER ? NULL : "the access token is none";
	return refresh_wrong(l);
}

const char *dir_route_tls_word(enum hop_tls tls)
{
	static const char *const words[] = {
		[HOP_TLS_DOMAIN] = "domain",   [HOP_TLS_NEVER] = "never", [HOP_TLS_MAY] = "may",
		[HOP_TLS_ENCRYPT] = "encrypt", [HOP_TLS_DANE] = "dane",   [HOP_TLS_VERIFY] = "verify",
	};
	_Static_assert(LEN(words) == HOP_TLS_LAST + 1, "a word per rule of TLS");

	return words[tls];
}

/* ---- patterns ---- */

bool dir_route_pattern(struct str text, bool sender, struct arena *a, struct str *ret)
{
	struct address_canon canon;
	bool                 below = text.n > 0 && text.p[0] == '.';

	if (str_eq(text, STR("*")) || text.n == 0) {
		*ret = STR("");
		return true;
	}
	if (sender && str_eq(text, STR("<>"))) {
		*ret = STR("<>");
		return true;
	}
	if (below || text.p[0] == '@')
		text = str_from(text, 1);
	if (!below && str_find(text, '@') >= 0) {
		if (address_canon_of(text, true, &canon) != ADDRESS_OK)
			return false;
	} else if (address_domain(text, &canon) != ADDRESS_OK) {
		return false;
	}
	*ret = arena_printf(a, "%s%.*s", below ? "." : "", STR_FMT(address_text(&canon)));
	return true;
}

struct str dir_route_shown(struct str pattern)
{
	return pattern.n > 0 ? pattern : STR("*");
}
