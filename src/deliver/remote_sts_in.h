/* deliver/remote_sts_in.h - private to remote_sts*.c: looking for a domain's policy, without any cache. */
#ifndef DELIVER_REMOTE_STS_IN_H
#define DELIVER_REMOTE_STS_IN_H

#include "deliver/remote.h"
#include "deliver/remote_sts.h"

enum sts_found {
	STS_FOUND_NOTHING, /* the domain says it has none: no record, more than one, or a malformed one, RFC 8461 §3.1 */
	STS_FOUND_SAME,    /* the record's id is `have_id` */
	STS_FOUND_POLICY,  /* text, policy, id */
	STS_FOUND_FAILED,  /* a record is there, its policy cannot be had: trouble */
	STS_FOUND_UNKNOWN, /* DNS gave no answer */
};

struct sts_look {
	enum sts_found     found;
	struct str         id, text; /* text: as sts_policy_print */
	struct sts_policy  policy;
	enum tlsrpt_result trouble;
	uint32_t           ttl_s; /* NOTHING: of the answer */
};

typedef enum http_result remote_sts_fetch_fn(const struct http_request *q, struct arena *a, struct http_reply *ret);

/* Ask DNS, and unless the id is `have_id` the policy host. Waits. `a` keeps the slices. */
struct sts_look remote_sts_look(const struct remote *remote, remote_sts_fetch_fn *fetch, struct str domain, struct str have_id, struct arena *a);

#endif
