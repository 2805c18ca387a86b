/* Any octets as an address list: groups closed and not nested, no text longer than what was read, and a list that is
 * called well-formed reads the same when it is written out again.
 */
#include <stdint.h>

#include "base/limits.h"
#include "wire/mime/mime_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t check_list(const struct mime_addresses *l)
{
	size_t total = 0;
	bool   in_group = false;

	CHECK(l->count <= LIMIT_ADDRESSES + 2);
	for (size_t i = 0; i < l->count; i++) {
		const struct mime_address *m = &l->items[i];

		CHECK(m->kind == MIME_ADDRESS_MAILBOX || in_group == (m->kind == MIME_ADDRESS_GROUP_END));
		in_group = m->kind == MIME_ADDRESS_GROUP || (in_group && m->kind == MIME_ADDRESS_MAILBOX);
		CHECK(m->kind != MIME_ADDRESS_MAILBOX || l->malformed || (m->local.n > 0 && m->domain.n > 0));
		total += m->route.n + m->local.n + m->domain.n;
	}
	CHECK(!in_group);
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena         *a = arena_new(NULL);
	struct mime_addresses list;
	struct mime_address   one;

	mime_addresses_parse(str_n(data, size), a, &list);
	CHECK(check_list(&list) <= size);
	for (size_t i = 0; i < list.count; i++)
		CHECK(str_is_utf8(mime_address_name(&list.items[i], a)));
	if (mime_address_single(str_n(data, size), a, &one))
		CHECK(list.count == 1 && !list.malformed);
	arena_free(&a);
	return 0;
}
