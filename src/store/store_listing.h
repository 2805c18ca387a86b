/* store/store_listing.h - the fields of a header that clients list messages with, kept beside the facts of an email: a list of messages reads a few
 * octets of each instead of its whole header. What is derived from the content; no listing is no error, the content is read then.
 *
 * A listing is a directory and the fields as they stand in the message, with folding and line ends, in their order (docs/formats/account.md).
 */
#ifndef STORE_STORE_LISTING_H
#define STORE_STORE_LISTING_H

#include "store/store_message.h"

#define STORE_LISTING_MAX    ((size_t)4 * KIB) /* octets; a message whose fields take more has none */
#define STORE_LISTING_FIELDS 64u               /* likewise */

/* The fields of these names as a set of bits, for the functions below; 0: one of the names is not kept, or there are none. */
uint64_t store_listing_names(const struct str *names, size_t count);

/* Listings of emails, in the arena; STR_NONE where there is none that has all of `names`. ret has `count` places. */
MUST_CHECK enum status store_listings(struct store_account *a, const uint64_t *emails, size_t count, uint64_t names, struct arena *arena,
				      struct str *ret);

/* The fields of `names` out of a listing, in the order of the message: runs of its octets. */
struct store_listed {
	struct str runs[STORE_LISTING_FIELDS];
	size_t     count, octets;
};
/* False: it cannot be read, or was written when not all of the names were kept. */
MUST_CHECK bool store_listing_pick(struct str listing, uint64_t names, struct store_listed *ret);

#endif
