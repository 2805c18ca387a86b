/* directory/srs.h - SRS: a reverse-path of ours that leads back to the sender of a message that we forward.
 *
 * Who forwards mail under the sender's own name fails SPF at the next host. So the reverse-path becomes
 *
 *   SRS0=HASH=TT=domain=local@ours      for local@domain
 *   SRS1=HASH=domain=REST@ours          for SRS0REST@domain, or SRS1=HASH=domain=REST@other: the first forwarder is
 *                                       asked directly, and the address does not grow with each hop
 *
 * TT is the day, modulo 1024, in two digits of base 32; HASH is 30 bits of HMAC-SHA256 over the rest, in lower case,
 * in six digits of base 32: so both survive a host that folds local parts. The layout is that of Mengwong's "SRS" draft
 * (2003) and of libsrs2; the hash is nobody's business but ours. SRS1 has no day: the SRS0 inside has that of its maker.
 *
 * Pure: the key and the time are given. Tests: tests/unit/test_srs.c, tests/fuzz/fuzz_srs.c.
 */
#ifndef DIRECTORY_SRS_H
#define DIRECTORY_SRS_H

#include "wire/address/address.h"

#define SRS_KEY  32u
#define SRS_DAYS 21u /* how long a report may take to come back */

enum srs_err {
	SRS_OK,
	SRS_SYNTAX,
	SRS_FORGED,
	SRS_EXPIRED,
};

/* Does the canonical address look like one that srs_forward makes? */
bool srs_is(const struct address_canon *address);
/* The reverse-path for `from`, canonical, in `domain`. False: it would be too long. */
MUST_CHECK bool srs_forward(const uint8_t key[SRS_KEY], const struct address_canon *from, struct str domain, int64_t now_ms,
			    struct address_canon *ret);
/* Back. `address` is canonical but not folded: the sender's local part keeps its letter case. At most `days` old. */
MUST_CHECK enum srs_err srs_reverse(const uint8_t key[SRS_KEY], const struct address_canon *address, int64_t now_ms, unsigned days,
				    struct address_canon *ret);
const char *srs_err_text(enum srs_err err);

#endif
