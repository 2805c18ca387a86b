/* wire/dkim/dkim_select.c - contract is in dkim_select.h. */
#include "wire/dkim/dkim_select.h"

#include "wire/dkim/dkim_canon.h"
#include "wire/mime/mime_header.h"

/* Of RFC 6376 §5.4.1, and RFC 8058 §4. The order is that of h=; what matters most is first, as there is a maximum. */
static const struct {
	struct str name;
	bool       over;
} fields[] = {
	{ STR("From"), true },
	{ STR("To"), true },
	{ STR("Cc"), true },
	{ STR("Subject"), true },
	{ STR("Date"), true },
	{ STR("Message-ID"), true },
	{ STR("Reply-To"), true },
	{ STR("Sender"), true },
	{ STR("In-Reply-To"), true },
	{ STR("References"), true },
	{ STR("MIME-Version"), true },
	{ STR("Content-Type"), true },
	{ STR("Content-Transfer-Encoding"), true },
	{ STR("Content-Disposition"), false },
	{ STR("Content-ID"), false },
	{ STR("Content-Description"), false },
	{ STR("Content-Language"), false },
	{ STR("List-Id"), false },
	{ STR("List-Help"), false },
	{ STR("List-Unsubscribe"), false },
	{ STR("List-Unsubscribe-Post"), false },
	{ STR("List-Subscribe"), false },
	{ STR("List-Post"), false },
	{ STR("List-Owner"), false },
	{ STR("List-Archive"), false },
	{ STR("Resent-Date"), false },
	{ STR("Resent-From"), false },
	{ STR("Resent-Sender"), false },
	{ STR("Resent-To"), false },
	{ STR("Resent-Cc"), false },
	{ STR("Resent-Message-ID"), false },
};

struct found {
	size_t     field; /* in the table */
	struct str whole;
};

static size_t field_find(struct str name)
{
	size_t i = 0;

	while (i < LEN(fields) && !str_ieq(fields[i].name, name))
		i++;
	return i;
}

/* Those of the table, in the order of the message. */
static struct found *scan(struct str header, struct arena *a, size_t *ret_count)
{
	struct mime_header_field f;
	struct str               rest = header;
	size_t                   n = 0;
	struct found            *all;

	while (n < LIMIT_HEADER_FIELDS && mime_header_next(&rest, &f))
		n += f.name.n > 0 && field_find(f.name) < LEN(fields);
	all = ARENA_ARRAY(a, struct found, n);
	*ret_count = n;
	for (n = 0, rest = header; n < *ret_count && mime_header_next(&rest, &f);) {
		size_t i = f.name.n > 0 ? field_find(f.name) : LEN(fields);

		if (i < LEN(fields))
			all[n++] = (struct found){ i, f.whole };
	}
	return all;
}

static void name_add(struct buf *names, struct str name)
{
	if (names->n > 0)
		buf_add_char(names, ':');
	buf_add(names, name);
}

void dkim_select(struct str header, enum dkim_canon canon, struct arena *a, struct buf *names, struct buf *input)
{
	size_t              count, total = 0;
	const struct found *all = scan(header, a, &count);

	for (size_t f = 0; f < LEN(fields); f++) {
		for (size_t i = count; i-- > 0 && total < DKIM_NAMES_MAX;) {
			if (all[i].field != f)
				continue;
			name_add(names, fields[f].name);
			dkim_header_field(canon, all[i].whole, input);
			total++;
		}
		if (fields[f].over && total < DKIM_NAMES_MAX)
			name_add(names, fields[f].name);
	}
}
