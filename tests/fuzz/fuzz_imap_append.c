/* APPEND and REPLACE in pieces, and URLs of CATENATE. Octets 0x01 in the input end a text whose last literal was content. */
#include "wire/imap/imap_append.h"
#include "wire/imap/imap_fetch.h"
#include "wire/imap/imap_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void url_look(struct str text, struct arena *a)
{
	struct imap_url     u;
	struct imap_section section;

	if (!imap_url_parse(text, a, &u))
		return;
	CHECK(u.uid > 0 && (u.selected || u.mailbox.n > 0) && (!u.server || u.host.n > 0));
	CHECK(str_is_utf8(u.mailbox) && !str_has_ctl(u.mailbox));
	(void)!imap_section_parse(u.section, a, &section);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena      *a = arena_new(NULL);
	struct imap_append p = { 0 };
	struct str         rest = str_n(data, size), text;
	struct imap_lex    x = { .arena = a };

	url_look(rest, a);
	(void)str_cut(rest, 1, &text, &rest);
	x.in = text;
	for (;;) {
		struct str            before = x.in;
		enum imap_append_item item = imap_append_next(&p, &x);

		if (item == IMAP_APPEND_BAD || item == IMAP_APPEND_MORE || item == IMAP_APPEND_END)
			break;
		CHECK(item == IMAP_APPEND_WHOLE || x.in.n < before.n);
		if (item == IMAP_APPEND_URL)
			url_look(p.url, a);
		if (item == IMAP_APPEND_OCTETS) {
			CHECK(x.in.n == 0 && (!p.utf8 || p.binary));
			(void)str_cut(rest, 1, &text, &rest);
			x.in = text;
		}
	}
	arena_free(&a);
	return 0;
}
