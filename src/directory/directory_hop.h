/* directory/directory_hop.h - private to this folder: rules of routes in memory, and the hop that they give an address.
 *
 * A rule has a pattern for recipients and one for senders. The most specific that match come first:
 *
 *   recipient   user@domain, domain, .parent (the longest first), *
 *   sender      user@domain, domain, .parent (the longest first), *           <> is the null sender, which only * matches beside it
 *
 * The recipient is compared first, the sender among rules with the same recipient pattern. So a rule for a recipient is before one that only
 * has a sender, and of two that say the same of the recipient the one that also says something of the sender.
 *
 * Each attribute is taken from the first rule that sets it, but for these, which belong together: who gives `via` also gives `login`, or there
 * is none (credentials are for one host, and for no other); and with a login the same rule's `tls` counts, which is "verify" if it does not
 * say (for a host on loopback: "encrypt").
 *
 * A relay domain (`domain add --relay HOST`) stands in that order as a rule for the recipient's domain, behind those for it: it gives `via`. One
 * without a host keeps the ways of rules for less than its domain away: it has better MX hosts, and no smarthost may send it back to us. The
 * setting `relay` is for what no rule gives a way.
 *
 * Capitals do not count in patterns, local parts included. The sender is the reverse-path as it was submitted, also of what is forwarded under
 * another one (SRS).
 *
 * Cost: a look-up for each label of both domains, and one for each pair of patterns that there are among them; how many rules there are does
 * not matter.
 *
 * Functions that only look: the caller holds `lock` for reading, or `admin`; those that change: `lock` for writing.
 */
#ifndef DIRECTORY_DIRECTORY_HOP_H
#define DIRECTORY_DIRECTORY_HOP_H

#include "base/arena.h"
#include "base/map.h"
#include "ipc/msg_auth.h"
#include "wire/address/address.h"

#define DIR_ROUTE_ATTRIBUTES 7u /* bits of enum auth_route_given */

struct dir_route { /* one rule; patterns are canonical, "" stands for "*" */
	struct auth_route_rule rule;
};

struct dir_routes {
	struct map rules;   /* "to" LF "from" to struct dir_route */
	struct map to, from; /* patterns that there are, to the count of rules that have them */
};

struct dir_hop {
	struct str              via; /* "": none */
	struct hop              hop;
	const struct dir_route *by[DIR_ROUTE_ATTRIBUTES]; /* the rule that gave the attribute; NULL: none did */
	bool                    by_domain;                /* via is the relay of the recipient's domain */
	bool                    tls_default;              /* tls is what a login is given */
};

/* Whom it is looked up for. */
struct dir_hop_ask {
	struct str to;           /* canonical address */
	struct str from;         /* canonical; "": none, or unknown */
	bool       null_path;    /* the sender is null */
	bool       relayed;      /* the recipient's domain is one that we relay for, */
	struct str domain_relay; /* to this host, or "" */
};

void dir_routes_init(struct dir_routes *r);
void dir_routes_done(struct dir_routes *r);
struct dir_route *dir_route_find(const struct dir_routes *r, struct str to, struct str from);
/* Copied. One of these patterns is replaced. */
void dir_route_put(struct dir_routes *r, const struct auth_route_rule *rule);
void dir_route_drop(struct dir_routes *r, struct dir_route *route);

/* Slices of *ret borrow from the rules. */
void dir_hop_find(const struct dir_routes *r, const struct dir_hop_ask *ask, struct dir_hop *ret);
/* The text for auth_target.relay, in `a`: "direct" becomes the address's own domain by MX. */
struct str dir_hop_relay(const struct dir_hop *hop, struct str address, struct arena *a);
/* A copy whose slices live in `a`. */
struct hop dir_hop_dup(struct arena *a, const struct hop *hop);

#endif
