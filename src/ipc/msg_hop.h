/* ipc/msg_hop.h - how a next hop is spoken to: what routes and settings say beside where it is.
 *
 * auth finds it (directory/directory_hop.c), queue groups by it and obeys its rates, remote speaks as it says.
 */
#ifndef IPC_MSG_HOP_H
#define IPC_MSG_HOP_H

#include "base/limits.h"
#include "base/str.h"

enum hop_tls {
	HOP_TLS_DOMAIN,  /* as the destination wants: DANE, else MTA-STS, else if it is offered */
	HOP_TLS_NEVER,   /* in clear */
	HOP_TLS_MAY,     /* if it is offered, whoever it is; nothing is looked up */
	HOP_TLS_ENCRYPT, /* always, whoever it is */
	HOP_TLS_DANE,    /* always, proved by TLSA records: no secure records, no delivery */
	HOP_TLS_VERIFY,  /* always, proved by a certificate of the authorities for the host's name */
	HOP_TLS_LAST = HOP_TLS_VERIFY,
};

struct hop { /* all zero: nothing special */
	enum hop_tls tls;
	struct str   source4, source6; /* IP addresses to connect from; "": the system's choice */
	struct str   helo;             /* name in EHLO; "": the hostname */
	uint64_t     login;            /* whose credentials to sign in with (IPC_AUTH_HOP_SECRET); 0: none */
	uint32_t     connections;      /* at once, to this next hop, from all of this system; 0: as it turns out */
	uint32_t     rate, rate_s;     /* so many messages in so many seconds; 0: no limit */
};

#endif
