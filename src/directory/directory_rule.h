/* directory/directory_rule.h - what a rule of routes may say.
 *
 * A next hop is a list as in wire/address/nexthop.h, or alone
 *   "direct"       by the MX of the recipient's domain, whatever the setting `relay` says
 *   "pipe:" name   the program of that name
 *
 * Pure. Tests: tests/unit/test_directory_routes.c.
 */
#ifndef DIRECTORY_DIRECTORY_RULE_H
#define DIRECTORY_DIRECTORY_RULE_H

#include "base/arena.h"
#include "ipc/msg_auth.h"

/* NULL, or why the rule cannot be (static text). Patterns are not looked at. */
const char *dir_route_wrong(const struct auth_route_rule *rule);
/* The same of credentials. */
const char *dir_login_wrong(const struct auth_login *login);
bool dir_route_via_valid(struct str via);
/* What counts for a login at this hop when its rule sets no tls. */
enum hop_tls dir_route_login_tls(struct str via);
/* "domain", "never", ...: as the command line names it. */
const char *dir_route_tls_word(enum hop_tls tls);

/* A pattern as it is stored: "" for "*". False: it is none. `sender`: "<>" is one too. Text in `a`. */
MUST_CHECK bool dir_route_pattern(struct str text, bool sender, struct arena *a, struct str *ret);
/* And as it is shown. */
struct str dir_route_shown(struct str pattern);

#endif
