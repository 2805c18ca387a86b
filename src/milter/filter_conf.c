/* milter/filter_conf.c - grammar and contract are in filter_conf.h. */
#include "milter/filter_conf.h"

#include "wire/address/endpoint.h"

#define TIMEOUT_MS 30000u
#define CONTENT_MS 300000u
#define TOTAL_MS   600000u

static const char no_unix[] = "a socket in the file system cannot be reached: the process that connects has no file system; let the "
			      "filter listen on inet:127.0.0.1:PORT";
static const char no_address[] = "not inet:HOST:PORT or inet:PORT@HOST";

struct word {
	struct str name;
	unsigned   value;
};

static const struct word defaults[] = {
	{ STR("accept"), FILTER_ACCEPT },
	{ STR("tempfail"), FILTER_TEMPFAIL },
	{ STR("reject"), FILTER_REJECT },
	{ STR("quarantine"), FILTER_QUARANTINE },
};
static const struct word listeners[] = {
	{ STR("smtp"), FILTER_AT_SMTP },
	{ STR("submission"), FILTER_AT_SUBMISSION },
};
static const struct word stages[] = {
	{ STR("rcpt"), FILTER_STAGE_RCPT },
	{ STR("data"), FILTER_STAGE_DATA },
	{ STR("end"), FILTER_STAGE_END },
};

/* ---- values ---- */

static bool word_find(const struct word *words, size_t n, struct str name, unsigned *ret)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(words[i].name, name)) {
			*ret = words[i].value;
			return true;
		}
	return false;
}

/* "a+b": a mask. */
static bool mask_parse(const struct word *words, size_t n, struct str text, unsigned *ret)
{
	unsigned mask = 0, bit;

	while (text.n > 0) {
		struct str name;

		str_cut(text, '+', &name, &text);
		if (!word_find(words, n, name, &bit))
			return false;
		mask |= bit;
	}
	*ret = mask;
	return mask != 0;
}

/* "30s", "5m", "500ms", or seconds. */
static bool time_parse(struct str text, unsigned *ret_ms)
{
	static const struct word units[] = { { STR(""), 1000 }, { STR("ms"), 1 }, { STR("s"), 1000 }, { STR("m"), 60000 } };
	uint64_t                 v;
	unsigned                 unit;

	if (!str_take_u64(&text, &v) || !word_find(units, LEN(units), text, &unit) || v == 0 || v > LIMIT_FILTER_MS / unit)
		return false;
	*ret_ms = (unsigned)v * unit;
	return true;
}

bool filter_default_parse(struct str word, enum filter_default *ret)
{
	unsigned v;

	if (!word_find(defaults, LEN(defaults), word, &v))
		return false;
	*ret = (enum filter_default)v;
	return true;
}

/* ---- addresses ---- */

/* A name or an address, as remote looks it up. */
static bool host_valid(struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!ascii_is_alnum(host.p[i]) && str_find(STR(".-_:"), host.p[i]) < 0)
			return false;
	return host.n <= LIMIT_DOMAIN;
}

static bool address_parse(struct str text, struct filter_conf *f, const char **ret_why)
{
	struct str host, port;

	f->address = text;
	*ret_why = no_address;
	if (str_skip(&text, STR("unix:")) || str_skip(&text, STR("local:")) || str_skip_char(&text, '/')) {
		*ret_why = no_unix;
		return false;
	}
	if (!str_skip(&text, STR("inet:")) && !str_skip(&text, STR("inet6:")))
		return false;
	if (str_cut(text, '@', &port, &host)) {
		if (!endpoint_parts(host, port, &f->host, &f->port))
			return false;
	} else if (!endpoint_parse(text, &f->host, &f->port)) {
		return false;
	}
	return host_valid(f->host);
}

bool filter_content_parse(struct str text, struct str *ret_relay, const char **ret_why)
{
	struct str host, relay = text;
	uint32_t   port;

	*ret_why = "not smtp:HOST:PORT or lmtp:HOST:PORT";
	if (str_skip(&text, STR("smtp:")))
		relay = text;
	else if (!str_skip(&text, STR("lmtp:")))
		return false;
	if (str_starts(text, STR("unix:")) || str_starts(text, STR("/"))) {
		*ret_why = no_unix;
		return false;
	}
	if (!endpoint_parse(text, &host, &port) || !host_valid(host))
		return false;
	*ret_relay = relay;
	return true;
}

/* ---- one filter, all filters ---- */

static bool option_parse(enum filter_kind kind, struct str option, struct filter_conf *f)
{
	struct str name, value;

	if (!str_cut(option, '=', &name, &value))
		return false;
	if (str_eq(name, STR("default"))) /* a policy server judges before there is a message to hold */
		return filter_default_parse(value, &f->fallback) && !(kind == FILTER_POLICY && f->fallback == FILTER_QUARANTINE);
	if (str_eq(name, STR("timeout")))
		return time_parse(value, &f->timeout_ms);
	if (str_eq(name, STR("content")))
		return kind == FILTER_MILTER && time_parse(value, &f->content_ms);
	if (str_eq(name, STR("total")))
		return time_parse(value, &f->total_ms);
	if (str_eq(name, STR("listeners")))
		return mask_parse(listeners, LEN(listeners), value, &f->where);
	if (str_eq(name, STR("stages")))
		return kind == FILTER_POLICY && mask_parse(stages, LEN(stages), value, &f->stages);
	return false;
}

static bool filter_parse(enum filter_kind kind, struct str text, enum filter_default fallback, struct filter_conf *ret, const char **ret_why,
			 struct str *ret_at)
{
	struct filter_conf f = {
		.fallback = fallback,
		.where = FILTER_AT_SMTP | FILTER_AT_SUBMISSION,
		.stages = FILTER_STAGE_RCPT,
		.timeout_ms = TIMEOUT_MS,
		.content_ms = CONTENT_MS,
		.total_ms = TOTAL_MS,
	};
	struct str word;

	str_cut(text, ' ', &word, &text);
	*ret_at = word;
	if (!address_parse(word, &f, ret_why))
		return false;
	for (text = str_trim(text); text.n > 0; text = str_trim(text)) {
		str_cut(text, ' ', &word, &text);
		*ret_at = word;
		*ret_why = "no such option, or not a value for it";
		if (!option_parse(kind, word, &f))
			return false;
	}
	*ret = f;
	return true;
}

bool filter_list_parse(enum filter_kind kind, struct str text, enum filter_default fallback, struct filter_list *ret, const char **ret_why,
		       struct str *ret_at)
{
	unsigned           most = kind == FILTER_MILTER ? LIMIT_MILTERS : LIMIT_POLICIES;
	struct filter_list list = { .count = 0 };

	while (str_trim(text).n > 0) {
		struct str one;

		str_cut(text, ',', &one, &text);
		if (list.count == most) {
			*ret_why = "too many filters";
			*ret_at = str_trim(one);
			return false;
		}
		if (!filter_parse(kind, str_trim(one), fallback, &list.filters[list.count], ret_why, ret_at))
			return false;
		list.count++;
	}
	*ret = list;
	return true;
}

uint64_t filter_check(const struct filter_conf *f)
{
	return str_hash(f->address);
}
