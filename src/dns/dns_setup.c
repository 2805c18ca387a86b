/* dns/dns_setup.c - see dns_setup.h. */
#include "dns/dns_setup.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "sys/fd.h"

#define ANCHOR_LINE_MAX ((size_t)4096)

/* libunbound's defaults are for one program that asks little. */
static const struct {
	const char *name, *value;
} settings[] = {
	{ "outgoing-range:", "256" },
	{ "num-queries-per-thread:", "4000" },
	{ "outgoing-num-tcp:", "64" },
	{ "msg-cache-size:", "16m" },
	{ "rrset-cache-size:", "32m" },
	{ "key-cache-size:", "4m" },
	{ "neg-cache-size:", "1m" },
	{ "cache-max-ttl:", "86400" },
	{ "cache-max-negative-ttl:", "300" },
	{ "infra-host-ttl:", "60" }, /* a server that was down is tried again soon */
	{ "infra-keep-probing:", "yes" },
	{ "qname-minimisation:", "yes" },
	{ "harden-glue:", "yes" },
	{ "harden-dnssec-stripped:", "yes" },
	{ "harden-below-nxdomain:", "yes" },
	{ "harden-algo-downgrade:", "no" }, /* RFC 6840 §5.11 */
	{ "unwanted-reply-threshold:", "1000000" },
};

/* A resolver that was named in the configuration may be on this machine, and may know names that the root does not. */
static const struct {
	const char *name, *value;
} settings_forward[] = {
	{ "do-not-query-localhost:", "no" },
	{ "unblock-lan-zones:", "yes" },
	{ "insecure-lan-zones:", "yes" },
};

static bool option(struct ub_ctx *ub, const char *name, const char *value)
{
	if (ub_ctx_set_option(ub, name, value) == 0)
		return true;
	log_error("resolver option refused", LOG_C("name", name), LOG_C("value", value));
	return false;
}

static bool options_set(struct ub_ctx *ub, bool forward)
{
	bool ok = true;

	for (size_t i = 0; i < LEN(settings); i++)
		ok = ok && option(ub, settings[i].name, settings[i].value);
	for (size_t i = 0; forward && i < LEN(settings_forward); i++)
		ok = ok && option(ub, settings_forward[i].name, settings_forward[i].value);
	return ok;
}

/* The name that a key is for: the first word of its line. */
static bool owner_keep(struct str line, struct dns_anchor *ret)
{
	size_t n = 0;

	while (n < line.n && line.p[n] != ' ' && line.p[n] != '\t')
		n++;
	return n > 0 && str_to_c(str_first(line, n), ret->owner, sizeof(ret->owner));
}

/* Handed over line by line: given the file's name, libunbound would open it at the first lookup, in the sandbox. */
static enum status anchors_read(struct ub_ctx *ub, const char *path, struct dns_anchor *ret)
{
	FILE       *f = fopen(path, "re");
	char        line[ANCHOR_LINE_MAX];
	enum status st = ST_OK;

	if (f == NULL)
		return fd_status(errno);
	while (st == ST_OK && fgets(line, sizeof(line), f) != NULL) {
		struct str s = str_trim_ws(str_of(line));

		if (s.n == 0 || s.p[0] == ';' || s.p[0] == '#')
			continue;
		line[str_chomp(str_of(line)).n] = '\0';
		if (ub_ctx_add_ta(ub, line) != 0)
			st = ST_INVALID;
		else if (ret->owner[0] == '\0' && !owner_keep(s, ret))
			st = ST_INVALID;
	}
	if (st == ST_OK && (ferror(f) != 0 || ret->owner[0] == '\0'))
		st = ST_INVALID;
	fclose(f);
	return st;
}

static enum status forward_set(struct ub_ctx *ub, struct str forward)
{
	char address[128];

	if (!str_to_c(forward, address, sizeof(address)) || ub_ctx_set_fwd(ub, address) != 0)
		return ST_INVALID;
	return ST_OK;
}

/* Makes the settings final now, not at the first lookup: keys are parsed, hints loaded. Of the zones that libunbound
 * answers by itself a resolver nearby may know two. */
static bool zones_set(struct ub_ctx *ub, bool forward)
{
	return ub_ctx_zone_add(ub, "localhost.", "static") == 0 &&
	       (!forward ||
		(ub_ctx_zone_remove(ub, "test.") == 0 && ub_ctx_zone_remove(ub, "home.arpa.") == 0));
}

static enum status prepare(struct ub_ctx *ub, const struct dns_options *o, const char *anchors, struct dns_anchor *ret, const char **ret_why)
{
	enum status st;

	if (!options_set(ub, o->forward.n > 0) || ub_ctx_async(ub, 1) != 0) {
		*ret_why = "libunbound cannot be set up";
		return ST_IO;
	}
	st = o->forward.n > 0 ? forward_set(ub, o->forward) : ST_OK;
	if (st != ST_OK) {
		*ret_why = "dns.forward is not ADDRESS@PORT";
		return st;
	}
	st = anchors != NULL ? anchors_read(ub, anchors, ret) : ST_OK;
	if (st != ST_OK) {
		*ret_why = "DNSSEC trust anchors cannot be read (dns.anchor, or package dns-root-data)";
		return st;
	}
	if (!zones_set(ub, o->forward.n > 0)) {
		*ret_why = "libunbound refuses its settings";
		return ST_IO;
	}
	return ST_OK;
}

enum status dns_setup(const struct dns_options *o, struct ub_ctx **ret, struct dns_anchor *ret_anchor, const char **ret_why)
{
	const char    *anchors = o->anchor_file != NULL ? o->anchor_file : o->forward.n == 0 ? DNS_ROOT_KEY : NULL;
	struct ub_ctx *ub = ub_ctx_create();
	enum status    st;

	*ret_anchor = (struct dns_anchor){ 0 };
	if (ub == NULL) {
		*ret_why = "libunbound cannot be set up";
		return ST_IO;
	}
	st = prepare(ub, o, anchors, ret_anchor, ret_why);
	if (st == ST_OK)
		*ret = ub;
	else
		ub_ctx_delete(ub);
	return st;
}
