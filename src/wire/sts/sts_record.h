/* wire/sts/sts_record.h - the TXT record at _mta-sts.DOMAIN: there is a policy, and which one it is.
 *
 * Grammar, RFC 8461 §3.1:
 *   sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim]
 *   sts-field       = sts-id / sts-extension
 *   sts-field-delim = *WSP ";" *WSP
 *   sts-version     = %s"v=STSv1"
 *   sts-id          = %s"id=" 1*32(ALPHA / DIGIT)
 *   sts-extension   = sts-ext-name "=" sts-ext-value
 *   sts-ext-name    = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
 *   sts-ext-value   = 1*(%x21-3A / %x3C / %x3E-7E)             without "=", ";", SP and controls
 *
 * Exactly one id, wherever it stands. Pure. Tests: tests/unit/test_sts_wire.c, tests/fuzz/fuzz_sts.c.
 */
#ifndef WIRE_STS_STS_RECORD_H
#define WIRE_STS_STS_RECORD_H

#include "base/str.h"

#define STS_ID_MAX ((size_t)32)

/* Begins with the version, so it counts among the records of the name; others do not, RFC 8461 §3.1. */
bool sts_record_is(struct str record);
/* *ret_id borrows from the record, and is written only if true. */
MUST_CHECK bool sts_record_parse(struct str record, struct str *ret_id);

#endif
