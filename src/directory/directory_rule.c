/* directory/directory_rule.c - see directory_rule.h. */
#include "directory/directory_rule.h"

#include <arpa/inet.h>
#include <string.h>

#include "wire/address/address.h"
#include "wire/address/endpoint.h"
#include "wire/sasl/sasl_plain.h"

static bool ip_valid(int family, struct str text)
{
	char    c[LIMIT_IP_TEXT + 1];
	uint8_t octets[16];

	return str_to_c(text, c, sizeof(c)) && inet_pton(family, c, octets) == 1;
}

static bool is_ip(struct str text)
{
	return ip_valid(AF_INET, text) || ip_valid(AF_INET6, text);
}

static bool is_loopback(struct str host)
{
	return str_ieq(host, STR("localhost")) || str_eq(host, STR("::1")) || (ip_valid(AF_INET, host) && str_starts(host, STR("127.")));
}

static bool host_valid(struct str host)
{
	return is_ip(host) || str_ieq(host, STR("localhost")) || (host.n <= LIMIT_DOMAIN && address_domain_is_ascii(host));
}

static bool program_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '-' && name.p[i] != '_')
			return false;
	return name.n > 0 && name.n <= 64;
}

static bool hop_valid(struct str hop, struct str *ret_host)
{
	uint32_t port;

	*ret_host = STR("");
	if (str_skip(&hop, STR("mx:"))) {
		*ret_host = hop;
		return hop.n <= LIMIT_DOMAIN && address_domain_is_ascii(hop);
	}
	if (!str_skip(&hop, STR("lmtp:")))
		(void)str_skip(&hop, STR("smtps:"));
	return endpoint_parse(hop, ret_host, &port) && host_valid(*ret_host);
}

bool dir_route_via_valid(struct str via)
{
	struct str hop, host;
	size_t     count = 0;

	if (via.n == 0 || via.n > LIMIT_ROUTE_VIA)
		return false;
	if (str_eq(via, STR("direct")))
		return true;
	if (str_skip(&via, STR("pipe:")))
		return program_valid(via);
	for (bool more = true; more;) {
		more = str_cut(via, ',', &hop, &via);
		if (++count > LIMIT_ROUTE_VIAS || !hop_valid(hop, &host))
			return false;
	}
	return true;
}

/* Is `is` true of all hosts? */
static bool all_hosts(struct str via, bool (*is)(struct str host))
{
	struct str hop, host;

	for (bool more = true; more;) {
		more = str_cut(via, ',', &hop, &via);
		if (!hop_valid(hop, &host) || !is(host))
			return false;
	}
	return true;
}

static bool is_name(struct str host)
{
	return !is_ip(host);
}

static bool is_loopback_or_name(struct str host)
{
	return is_loopback(host) || is_name(host);
}

enum hop_tls dir_route_login_tls(struct str via)
{
	return all_hosts(via, is_loopback) ? HOP_TLS_ENCRYPT : HOP_TLS_VERIFY;
}

static const char *login_wrong(const struct auth_route_rule *r)
{
	struct str host;

	if (!(r->given & AUTH_ROUTE_VIA))
		return "credentials are for one host: the rule needs a next hop (--via)";
	for (struct str rest = r->via, hop; rest.n > 0;) {
		(void)str_cut(rest, ',', &hop, &rest);
		if (str_starts(hop, STR("lmtp:")) || str_starts(hop, STR("mx:")) || !hop_valid(hop, &host))
			return "credentials are for hosts named by HOST:PORT or smtps:HOST:PORT";
	}
	if ((r->given & AUTH_ROUTE_TLS) && r->hop.tls == HOP_TLS_NEVER)
		return "no credentials are sent in clear: not with --tls never";
	if ((!(r->given & AUTH_ROUTE_TLS) || r->hop.tls == HOP_TLS_VERIFY || r->hop.tls == HOP_TLS_DANE) && !all_hosts(r->via, is_loopback_or_name))
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
		return "the next hop is none of HOST:PORT, lmtp:HOST:PORT, smtps:HOST:PORT, mx:DOMAIN, pipe:NAME, direct";
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
