/* store/store_ranges.c - numbers and sets of uids in few octets, as the change rows and part lists keep them. */
#include "store/store_internal.h"

void store_varint_write(struct buf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_add_char(out, (char)(v | 0x80));
	buf_add_char(out, (char)v);
}

bool store_varint_read(struct str *in, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		char c;

		if (!str_take(in, &c))
			return false;
		v |= (uint64_t)((unsigned char)c & 0x7f) << shift;
		if (!((unsigned char)c & 0x80)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

void store_ranges_write(const uint32_t *uids, size_t count, struct buf *out)
{
	uint32_t last = 0;

	for (size_t i = 0; i < count;) {
		size_t j = i + 1;

		while (j < count && uids[j] == uids[j - 1] + 1)
			j++;
		store_varint_write(out, uids[i] - last);
		store_varint_write(out, j - i - 1);
		last = uids[j - 1];
		i = j;
	}
}

bool store_ranges_next(struct str *in, uint32_t *last, struct store_range *ret)
{
	uint64_t from, more;

	if (!store_varint_read(in, &from) || !store_varint_read(in, &more))
		return false;
	from += *last;
	if (from == 0 || from > UINT32_MAX || more > UINT32_MAX - from)
		return false;
	*ret = (struct store_range){ (uint32_t)from, (uint32_t)(from + more) };
	*last = ret->last;
	return true;
}

bool store_run_end(struct store_run *r, struct store_range *ret_done)
{
	if (r->run.first == 0)
		return false;
	*ret_done = r->run;
	r->run.first = 0;
	return true;
}

bool store_run_add(struct store_run *r, uint32_t uid, bool belongs, struct store_range *ret_done)
{
	size_t before = r->at;
	bool   ended = false;

	while (r->at < r->set.count && r->set.ranges[r->at].last < uid)
		r->at++;
	/* Between two ranges of the set there may be messages that are not meant. */
	if (r->at != before || !belongs)
		ended = store_run_end(r, ret_done);
	if (belongs)
		r->run = (struct store_range){ r->run.first ? r->run.first : uid, uid };
	return ended;
}

bool store_change_sound(uint64_t kind, uint64_t op, struct str uids)
{
	struct store_range r;
	uint32_t           last = 0;

	if (kind < CHANGE_MAILBOX || kind > CHANGE_METADATA || op < CHANGE_CREATED || op > CHANGE_REMOVED)
		return false;
	while (kind == CHANGE_MESSAGE && uids.n > 0) /* of others it is a text */
		if (!store_ranges_next(&uids, &last, &r))
			return false;
	return true;
}
