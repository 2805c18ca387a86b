/* directory/directory_walk.h - private to this folder: from an address to its targets, by the order in directory.h.
 *
 * Aliases are walked depth first. An alias is UNSEEN, then ON_PATH while its targets are walked, then DONE. A target
 * that is DONE is a diamond and adds nothing; one that is ON_PATH closes a circle, unless it is also an account, which
 * then stands for itself ("alice" to alice and bob, "bob" to bob and alice).
 *
 * All functions: the caller holds `lock` for reading, or `admin`.
 */
#ifndef DIRECTORY_DIRECTORY_WALK_H
#define DIRECTORY_DIRECTORY_WALK_H

#include "directory/directory_int.h"

/* What the dry run tells. */
struct dir_trail {
	struct arena           *a;
	struct auth_route_step *steps; /* room for LIMIT_ROUTE_STEPS */
	size_t                  count;
};

/* Who writes: for lists that are closed. */
struct dir_writer {
	uint64_t   account; /* signed in, or 0 */
	struct str from;    /* reverse-path, "" for the null one */
	bool       trusted; /* what the peer says of the reverse-path is believed */
};

struct dir_walk {
	struct directory        *d;
	struct arena            *a;
	const struct dir_writer *writer; /* NULL: policies are not looked at */
	bool                     null_path; /* the reverse-path is null: addresses of SRS lead back */
	struct address_canon     from;      /* else this: canonical, n 0 if unknown */
	bool                     from_ours; /* its domain is one of ours */
	unsigned                 srs_days;  /* how old an address of SRS may be */
	struct dir_trail        *trail;     /* or NULL */
	struct dir_alias        *extra;     /* one that is about to be added, or NULL */
	struct dir_domain       *via;       /* of the alias whose targets are walked now; NULL: none */
	bool                     mapped; /* the maps are set up: an alias was met, so there may be several targets */
	struct map               marks;  /* alias name to enum mark */
	struct map               taken;  /* target addresses */
	struct auth_target      *targets;
	size_t                   count, room;
	unsigned                 depth, steps;
	bool                     open;    /* a target that is neither disabled nor full */
	bool                     full;    /* a target that is over its quota */
	bool                     refused; /* a list on the way is closed to the writer */
};

/* Then set writer, trail or extra where they are wanted. `from` may be none of an address. */
void dir_walk_init(struct dir_walk *w, struct directory *d, struct arena *a, struct str from);
void dir_walk_done(struct dir_walk *w);
/* ST_OK also when it leads to nobody: other targets may. ST_INVALID, ST_LIMIT. */
MUST_CHECK enum status dir_walk_address(struct dir_walk *w, struct str address);
/* The same, after the rules of rewriting for recipients. */
MUST_CHECK enum status dir_walk_recipient(struct dir_walk *w, struct str address);
MUST_CHECK enum status dir_walk_alias(struct dir_walk *w, struct dir_alias *al);

/* Canonical form; *ret_domain is ours, or NULL. The local part is folded if it is ours and local. */
MUST_CHECK enum address_err dir_canon(struct directory *d, struct str address, struct address_canon *ret,
				      struct dir_domain **ret_domain);
/* Would adding `al` close a circle, or make too long a chain? ST_OK or ST_LIMIT. Holds `admin`. */
MUST_CHECK enum status dir_alias_check(struct directory *d, struct dir_alias *al);

/* ---- directory_policy.c ---- */
/* May the walk's writer write to this list? */
bool dir_policy_admits(struct dir_walk *w, const struct dir_alias *al);

/* ---- directory_way.c ---- */
/* The hop of a foreign target: sets relay and hop. `dom`: its domain if that is one of ours (relayed), or NULL. */
void dir_way(struct dir_walk *w, struct auth_target *t, const struct dir_domain *dom);

/* ---- directory_route.c ---- */
/* Nothing without a trail; the last one says that there is more. */
void dir_say(struct dir_walk *w, const char *what, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
