/* directory/directory_sign.h - private to this folder: DKIM keys in memory, and the lane that signs with them. */
#ifndef DIRECTORY_DIRECTORY_SIGN_H
#define DIRECTORY_DIRECTORY_SIGN_H

#include "directory/directory.h"
#include "directory/dkim_key.h"

struct dir_domain;

struct dir_key {
	struct dir_key     *next;
	char                selector[LIMIT_DKIM_SELECTOR + 1];
	enum auth_key_state state;
	int64_t             created_ms;
	struct dkim_key    *key;
};

/* ---- directory_key.c ---- */
MUST_CHECK enum status dir_keys_load(struct directory *d);
/* Of a domain that goes. Holds `lock` for writing, or nobody else knows d. */
void dir_keys_drop(struct dir_domain *dom);
/* Make keys for domains that never had any: they were there before there was signing. Takes a while; ends early when d closes. */
void dir_keys_complete(struct directory *d);

#endif
