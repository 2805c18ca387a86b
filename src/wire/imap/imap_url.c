/* wire/imap/imap_url.c - grammar and contract are in imap_url.h. */
#include "wire/imap/imap_url.h"

#include "wire/text/text_base64.h"

/* "%20" and the like; false: malformed, or an octet that no name may hold. */
static bool decode(struct str in, struct arena *a, struct str *ret)
{
	char  *p = arena_alloc(a, in.n);
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		int high, low;

		if (in.p[i] != '%') {
			p[n++] = in.p[i];
			continue;
		}
		high = i + 2 < in.n ? text_hex_digit(in.p[i + 1]) : -1;
		low = i + 2 < in.n ? text_hex_digit(in.p[i + 2]) : -1;
		if (high < 0 || low < 0)
			return false;
		p[n++] = (char)(high << 4 | low);
		i += 2;
	}
	*ret = str_n(p, n);
	return !str_has_ctl(*ret) && str_is_utf8(*ret);
}

/* Up to the first `end` or the end, which is not taken. */
static struct str until(struct str *in, char end)
{
	ptrdiff_t  at = str_find(*in, end);
	struct str part = at < 0 ? *in : str_first(*in, (size_t)at);

	*in = str_from(*in, part.n);
	return part;
}

/* [user [";AUTH=" type] "@"] host [":" port] */
static bool server_take(struct str *in, struct arena *a, struct imap_url *u)
{
	struct str server = until(in, '/'), user = STR_NONE, host = server, rest;

	if (str_rcut(server, '@', &user, &host)) {
		(void)str_cut(user, ';', &user, &rest);
		if (!decode(user, a, &u->user))
			return false;
	}
	u->server = true;
	if (str_starts(host, STR("["))) { /* an IPv6 address */
		u->host = str_first(host, (size_t)(str_find(host, ']') + 1));
		return u->host.n > 2;
	}
	(void)str_cut(host, ':', &host, &rest);
	return host.n > 0 && decode(host, a, &u->host);
}

static bool number_take(struct str *in, uint32_t *ret)
{
	uint64_t v;

	if (!str_take_u64(in, &v) || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* mailbox [";UIDVALIDITY=" n] "/" */
static bool mailbox_take(struct str *in, struct arena *a, struct imap_url *u)
{
	struct str name = until(in, ';');

	if (str_skip(in, STR(";UIDVALIDITY="))) {
		if (!number_take(in, &u->uidvalidity) || u->uidvalidity == 0 || !str_skip_char(in, '/'))
			return false;
	} else if (name.n == 0 || name.p[name.n - 1] != '/') {
		return false;
	} else {
		name.n--;
	}
	return name.n > 0 && decode(name, a, &u->mailbox);
}

static bool part_take(struct str *in, struct arena *a, struct imap_url *u)
{
	if (!str_skip(in, STR(";UID=")) || !number_take(in, &u->uid) || u->uid == 0)
		return false;
	if (str_skip(in, STR("/;SECTION="))) {
		struct str section = until(in, ';');

		/* The "/" before ";PARTIAL=" is no part of it. */
		if (in->n > 0) {
			if (section.n == 0 || section.p[section.n - 1] != '/')
				return false;
			section.n--;
			*in = (struct str){ in->p - 1, in->n + 1 };
		}
		if (section.n == 0 || !decode(section, a, &u->section))
			return false;
	}
	if (str_skip(in, STR("/;PARTIAL="))) {
		u->partial = true;
		if (!number_take(in, &u->from))
			return false;
		if (str_skip_char(in, '.') && (!number_take(in, &u->count) || u->count == 0))
			return false;
	}
	return in->n == 0;
}

bool imap_url_parse(struct str url, struct arena *a, struct imap_url *ret)
{
	struct imap_url u = { .section = STR("") };
	bool            scheme;

	if (url.n > LIMIT_IMAP_URL)
		return false;
	scheme = str_skip(&url, STR("imap:"));
	if (str_skip(&url, STR("//"))) {
		if (!server_take(&url, a, &u))
			return false;
	} else if (scheme) {
		return false;
	}
	u.selected = !u.server && !str_starts(url, STR("/"));
	if (!u.selected && (!str_skip_char(&url, '/') || !mailbox_take(&url, a, &u)))
		return false;
	if (!part_take(&url, a, &u))
		return false;
	*ret = u;
	return true;
}
