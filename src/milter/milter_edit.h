/* milter/milter_edit.h - what a filter wants changed: collected while it answers, carried out when it has ended well, or not at all.
 *
 * Header fields are numbered as Sendmail does: INSERT at 0 puts a field before all others that the filter saw; CHANGE counts the
 * fields of one name from 1, and one that is deleted keeps its number. A CHANGE past the last one adds.
 */
#ifndef MILTER_MILTER_EDIT_H
#define MILTER_MILTER_EDIT_H

#include "base/status.h"
#include "wire/milter/milter_answer.h"

/* Where a new body goes, piece by piece. Anything but ST_OK: it cannot be taken. */
struct milter_sink {
	enum status (*write)(void *ctx, struct str octets);
	void *ctx;
};

struct milter_edit {
	enum milter_answer_kind kind; /* an RCPT, SENDER or HEADER one */
	uint32_t                index;
	struct str              name, value, address, args;
};

struct milter_edits {
	struct arena      *arena;
	struct milter_sink body_sink;
	struct milter_edit *items;
	size_t             count, cap, octets;
	bool               body; /* what went into the sink is the new body */
	bool               quarantine;
	struct str         reason;
};

/* Keep what `a` (not an end of an exchange) says. ST_OK, ST_LIMIT, or what the sink said. */
MUST_CHECK enum status milter_edits_add(struct milter_edits *e, const struct milter_answer *a);

/* ---- header ---- */

struct milter_field {
	struct str whole; /* with its line end */
	struct str name, value;
	bool       gone;
};

struct milter_header {
	struct arena        *arena;
	struct milter_field *fields;
	size_t               count, cap;
	size_t               octets; /* of the header as it was, with the empty line that ends it if there is one */
};

/* Take a header apart. It ends before an empty line, or before a first line that is no field; any other line that is no field belongs to
 * the one before it. False: more than LIMIT_HEADER_FIELDS. Slices borrow from `header`. */
MUST_CHECK bool milter_header_parse(struct str header, struct arena *a, struct milter_header *ret);
/* Carry out those edits that are about the header, in order. leadspc: values have the blank behind the colon themselves. */
void milter_header_edit(struct milter_header *h, const struct milter_edits *e, bool leadspc);
/* Octets of all fields, without an empty line. */
size_t milter_header_size(const struct milter_header *h);

#endif
