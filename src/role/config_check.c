/* role/config_check.c - what no single setting can tell: whether they make sense together. */
#include "role/config.h"

#include <arpa/inet.h>

#include "base/limits.h"
#include "guard/guard.h"
#include "role/config_filter.h"
#include "role/config_pipe.h"
#include "wire/address/cidr.h"
#include "wire/address/nexthop.h"

/* What libunbound takes: a numeric address, and a port that is not 0. */
static bool resolver_valid(struct str text)
{
	struct str address, port;
	uint32_t   number = 53;
	char       c[INET6_ADDRSTRLEN];
	uint8_t    octets[16];

	if (str_cut(text, '@', &address, &port) && !str_to_u32(port, &number))
		return false;
	return number > 0 && number < 65536 && str_to_c(address, c, sizeof(c)) &&
	       (inet_pton(AF_INET, c, octets) == 1 || inet_pton(AF_INET6, c, octets) == 1);
}

static struct str word_take(struct str *text)
{
	struct str word;

	*text = str_trim(*text);
	str_cut(*text, ' ', &word, text);
	return word;
}

bool config_warn_parse(struct str text, unsigned ret[STORE_WARN_MAX])
{
	struct str word;
	uint32_t   v, last = 0;
	size_t     n = 0;

	for (size_t i = 0; i < STORE_WARN_MAX; i++)
		ret[i] = 0;
	while ((word = word_take(&text)).n > 0) {
		if (n == STORE_WARN_MAX || !str_to_u32(word, &v) || v <= last || v > 100)
			return false;
		ret[n++] = last = v;
	}
	return true;
}

bool config_proxy_has(const struct config *c, enum config_listener kind)
{
	struct str rest = c->proxy, word;

	while ((word = word_take(&rest)).n > 0)
		if (str_eq(word, str_of(config_listener_names[kind])))
			return true;
	return false;
}

static void proxies_check(const struct config *c, struct buf *errors)
{
	static const enum config_listener may[] = { LISTEN_SMTP, LISTEN_SUBMISSION, LISTEN_SUBMISSIONS, LISTEN_LMTP };
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct cidr_list trusted;
	struct str       rest = c->proxy, word, bad;

	/* guard_settings_check() says what is wrong with the list. */
	if (cidr_list_parse(c->guard.trusted, a, &trusted, &bad) && trusted.count == 0 && str_trim(rest).n > 0)
		buf_addf(errors, "smtp.proxy: needs smtp.trusted, or no connection would be let in\n");
	while ((word = word_take(&rest)).n > 0) {
		bool known = false;

		for (size_t i = 0; i < LEN(may); i++)
			known = known || str_eq(word, str_of(config_listener_names[may[i]]));
		if (!known)
			buf_addf(errors, "smtp.proxy: \"%.*s\" is none of smtp, submission, submissions, lmtp\n", STR_FMT(word));
	}
}

enum status config_check(const struct config *c, struct buf *errors)
{
	size_t   before = errors->n;
	unsigned warn[STORE_WARN_MAX];

	if (c->data.n == 0 || c->data.p[0] != '/')
		buf_addf(errors, "data: must be an absolute path\n");
	if ((c->tls_certificate.n == 0) != (c->tls_key.n == 0))
		buf_addf(errors, "tls: certificate and key go together\n");
	if (str_starts(c->relay, STR("pipe:"))) {
		if (!config_pipe_hop(c, c->relay))
			buf_addf(errors, "relay: \"%.*s\": there is no such pipe\n", STR_FMT(c->relay));
	} else if (c->relay.n > 0 && !nexthops_valid(c->relay)) {
		buf_addf(errors, "relay: \"%.*s\" is none of " NEXTHOP_FORMS ", pipe:NAME, or several with \",\" between\n", STR_FMT(c->relay));
	}
	for (size_t i = 0; i < c->listen_count && c->tls_key.n == 0; i++)
		if (c->listen[i].kind == LISTEN_SUBMISSIONS || c->listen[i].kind == LISTEN_IMAPS || c->listen[i].kind == LISTEN_POP3S) {
			buf_addf(errors, "listen.%s needs tls.certificate and tls.key ('postrider setup' makes a first pair)\n",
				 config_listener_names[c->listen[i].kind]);
			break;
		}
	if (c->dns_forward.n > 0 && !resolver_valid(c->dns_forward))
		buf_addf(errors, "dns.forward: \"%.*s\" is not ADDRESS@PORT\n", STR_FMT(c->dns_forward));
	if (c->dns_anchor.n > 0 && c->dns_anchor.p[0] != '/')
		buf_addf(errors, "dns.anchor: must be an absolute path\n");
	proxies_check(c, errors);
	for (size_t i = 0; i < c->subaddress.n; i++)
		if (str_find(STR("!#$%&'*+-/=?^_`{|}~"), c->subaddress.p[i]) < 0) {
			buf_addf(errors, "smtp.subaddress: \"%.*s\": separators are signs that may stand in a name, such as + or -\n",
				 STR_FMT(c->subaddress));
			break;
		}
	if (!config_warn_parse(c->quota_warn, warn))
		buf_addf(errors, "quota.warn: \"%.*s\": up to four percents from 1 to 100, ascending\n", STR_FMT(c->quota_warn));
	if (c->retry_first_s > c->retry_max_s)
		buf_addf(errors, "queue.retry_first is longer than queue.retry_max\n");
	(void)!guard_settings_check(&c->guard, errors); /* what it adds to `errors` counts */
	config_filter_check(c, errors);
	return errors->n == before ? ST_OK : ST_INVALID;
}
